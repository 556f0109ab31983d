import math

import pytest
import torch

from ctiforge.osbert.pooling import POOLINGS, pool
from ctiforge.records.article import OS_LABELS
from ctiforge.records.model_note import Pooling

WINDOWS, LINUX, MACOS, MULTIPLE, UNKNOWN = range(5)


def _logits(*windows: dict[int, float]) -> torch.Tensor:
    """Windows that are sure of what is named."""
    rows = torch.full((len(windows), len(OS_LABELS)), -6.0)
    for number, window in enumerate(windows):
        for label, value in window.items():
            rows[number, label] = value
    return rows


def _label(pooling: Pooling, logits: torch.Tensor) -> int:
    return int(pool(pooling, logits, torch.zeros(len(logits), dtype=torch.long), 1).argmax())


@pytest.mark.parametrize("pooling", POOLINGS)
def test_one_window_keeps_its_label(pooling: Pooling) -> None:
    for label in range(len(OS_LABELS)):
        assert _label(pooling, _logits({label: 6.0})) == label


@pytest.mark.parametrize("pooling", POOLINGS)
def test_each_articles_windows_are_pooled_apart_whatever_their_order(pooling: Pooling) -> None:
    torch.manual_seed(0)
    logits = torch.randn(7, 5)
    articles = torch.tensor([2, 0, 1, 0, 2, 2, 0])
    together = pool(pooling, logits, articles, 3)
    for article in range(3):
        alone = logits[articles == article]
        assert torch.allclose(together[article], pool(pooling, alone, torch.zeros(len(alone), dtype=torch.long), 1)[0])


def test_noisy_or_says_multiple_where_two_windows_show_two_systems() -> None:
    logits = _logits({WINDOWS: 6.0}, {UNKNOWN: 6.0}, {LINUX: 6.0})
    assert _label("noisy-or", logits) == MULTIPLE
    # the others cannot: no window says so
    assert _label("max", logits) != MULTIPLE
    assert _label("mean", logits) != MULTIPLE


def test_noisy_or_lets_windows_show_nothing() -> None:
    assert _label("noisy-or", _logits(*[{UNKNOWN: 6.0}] * 20, {MACOS: 6.0})) == MACOS
    assert _label("noisy-or", _logits(*[{UNKNOWN: 9.0}] * 20)) == UNKNOWN
    assert _label("noisy-or", _logits({UNKNOWN: 6.0}, {MULTIPLE: 6.0})) == MULTIPLE


def test_noisy_or_gives_log_probabilities() -> None:
    torch.manual_seed(0)
    pooled = pool("noisy-or", torch.randn(12, 5), torch.tensor([0] * 5 + [1] * 7), 2)
    assert torch.allclose(pooled.exp().sum(dim=1), torch.ones(2), atol=1e-5)


def test_noisy_or_is_the_formula_in_a_case_worked_by_hand() -> None:
    shows = torch.tensor([[0.5, 0.2, 0.1, 0.1, 0.1], [0.1, 0.6, 0.1, 0.0, 0.2]])
    pooled = pool("noisy-or", shows.clamp(min=1e-9).log(), torch.tensor([0, 0]), 1)[0].exp()
    windows, linux, macos, several = (1 - math.prod(1 - float(w[c]) for w in shows) for c in range(4))
    none = (1 - windows) * (1 - linux) * (1 - macos) * (1 - several)
    only_linux = (1 - windows) * linux * (1 - macos) * (1 - several)
    assert float(pooled[UNKNOWN]) == pytest.approx(none, abs=1e-5)
    assert float(pooled[LINUX]) == pytest.approx(only_linux, abs=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_gradients_are_finite_also_where_a_window_is_certain(pooling: Pooling, scale: float) -> None:
    torch.manual_seed(0)
    logits = (torch.randn(40, 5) * scale).requires_grad_()
    pooled = pool(pooling, logits, torch.arange(40) % 4, 4)
    torch.nn.functional.cross_entropy(pooled, torch.tensor([0, 1, 3, 4])).backward()
    assert logits.grad is not None
    assert torch.isfinite(pooled).all()
    assert torch.isfinite(logits.grad).all()


def test_a_window_that_is_certain_and_wrong_can_still_be_corrected() -> None:
    logits = _logits({WINDOWS: 60.0}, {UNKNOWN: 60.0}).requires_grad_()
    pooled = pool("noisy-or", logits, torch.tensor([0, 0]), 1)
    torch.nn.functional.cross_entropy(pooled, torch.tensor([UNKNOWN])).backward()
    assert logits.grad is not None
    assert float(logits.grad[0, WINDOWS]) > 0.5


def test_what_is_most_unlikely_keeps_its_place() -> None:
    pooled = pool("noisy-or", _logits({UNKNOWN: 40.0}, {UNKNOWN: 40.0}), torch.tensor([0, 0]), 1)[0]
    assert float(pooled[WINDOWS]) < -40
    assert float(pooled[MULTIPLE]) < -40
    assert float(pooled[UNKNOWN]) == pytest.approx(0)
