from ctiforge.extract.dataset.token_report import truncation_report


def test_right_truncation_by_hand():
    cut = truncation_report([(100, 20), (195, 10), (300, 20)], max_length=200)
    assert (cut.articles_with_answer, cut.answers_whole, cut.answers_gone) == (3, 1, 1)
    assert cut.answer_tokens_kept_share == (20 + 5) / 50
    assert cut.loss_tokens_answer_share == 25 / (120 + 200 + 200)


def test_nothing_to_report():
    assert truncation_report([], 10).answer_tokens_kept_share == 0.0
