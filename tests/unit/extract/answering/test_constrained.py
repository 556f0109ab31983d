"""The answer's form, enforced over logits that know nothing."""

import json

import pytest
import torch

from ctiforge.extract.answering.constrained import AnswerConstraint
from ctiforge.extract.prompts.answers import MOST_ITEMS, parse_answer
from ctiforge.training.encoding import end_token_id

TYPES = [("cmdline", "registry"), ("services", "scheduled_tasks", "process_lineage"), ("a_type_of_ones_own",)]


@pytest.fixture(scope="module")
def constraint(tokenizer):
    return AnswerConstraint(tokenizer, len(tokenizer), end_token_id(tokenizer))


def write(constraint, types, room, logits_of, prompt=3):
    """Generate greedily from what `logits_of` gives (rows, vocabulary); the texts, and whether each came to an end."""
    tokenizer, end = constraint.tokenizer, constraint.end_token_id
    processor = constraint.processor(types, prompt, [room] * len(types))
    ids = torch.zeros((len(types), prompt), dtype=torch.long)
    for _ in range(room):
        scores = processor(ids, logits_of(ids))
        ids = torch.cat([ids, scores.argmax(dim=1, keepdim=True)], dim=1)
    rows = [row[prompt:] for row in ids.tolist()]
    written = [row[: row.index(end)] if end in row else row for row in rows]
    return [tokenizer.decode(row, clean_up_tokenization_spaces=False) for row in written], [end in row for row in rows]


@pytest.mark.parametrize("room", [20, 33, 64, 150])
@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_model_wants_to_write_its_answer_is_valid_and_ends(constraint, room, seed):
    torch.manual_seed(seed)
    size = len(constraint.tokenizer)

    texts, ended = write(constraint, TYPES, room, lambda ids: torch.randn(len(ids), size))

    assert all(ended)
    for text, types in zip(texts, TYPES, strict=True):
        parsed = parse_answer(text, types)
        assert parsed.json_parsed, text
        assert parsed.schema_valid, text
        assert text == json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")) or "\\" in text


def test_a_model_that_would_repeat_itself_without_end_is_stopped(constraint):
    favored = constraint.tokenizer('{"type":"cmdline","value":"a"},', add_special_tokens=False)["input_ids"]

    def logits(ids):
        scores = torch.zeros(len(ids), len(constraint.tokenizer))
        scores[:, favored] = 5.0
        scores[:, constraint.end_token_id] = -5.0
        return scores + torch.rand_like(scores)

    torch.manual_seed(0)
    (text,), (ended,) = write(constraint, [("cmdline",)], 3_000, logits)

    assert ended
    assert len(json.loads(text)["observables"]) <= MOST_ITEMS


def test_what_a_model_means_to_write_is_left_as_it_is(constraint):
    answer = '{"observables":[{"type":"cmdline","value":"net \\"user\\" /añadir","platform":"Windows"}]}'
    wanted = [*constraint.tokenizer(answer, add_special_tokens=False)["input_ids"], constraint.end_token_id]

    def logits(ids):
        scores = torch.zeros(len(ids), len(constraint.tokenizer))
        scores[:, wanted[min(ids.shape[1] - 3, len(wanted) - 1)]] = 1.0
        return scores

    assert write(constraint, [("cmdline",)], len(wanted) + 60, logits) == ([answer], [True])
