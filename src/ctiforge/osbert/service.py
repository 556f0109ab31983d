"""Which operating system a text is about, for use in a program."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ctiforge.errors import UsageError
from ctiforge.osbert.base import resolve_encoder
from ctiforge.osbert.cascade import Cascade
from ctiforge.osbert.detection import Detection, Detector, Model
from ctiforge.osbert.detectors import FineTuned, load_detector
from ctiforge.osbert.opinions import Labeler
from ctiforge.store.objects import open_store

ANSWERS = ".ctiforge/answers"
"""The store that keeps an endpoint's answers."""
Strategy = Literal["model", "cascade"]


class OSDetectionService:
    r"""A fine-tuned OS-BERT, or a simple classifier of baselines_os, behind one call.

    >>> service = OSDetectionService(use_finetuned=True, finetuned_model_path="models/os-bert")
    >>> service.detect("The loader writes itself to HKCU\\...\\Run").label
    'Windows'

    `model_name` is the encoder that is left frozen when `use_finetuned` is false; `classifier_path` then is a folder of
    baselines_os. With the strategy `cascade` the rule of keywords answers first, and the model where the rule sees no
    system; what the model is not sure of is Unknown, or asked of `endpoint_model` at `endpoint` (None: OpenAI's own;
    the key is in OPENAI_API_KEY). `device` is auto, cpu or cuda. Raises UsageError for a folder that holds no such
    model, and for an endpoint without a cascade.
    """

    def __init__(
        self,
        model_name: str = "ibm-research/CTI-BERT",
        use_finetuned: bool = True,
        finetuned_model_path: str | Path | None = None,
        *,
        classifier_path: str | Path | None = None,
        device: str = "auto",
        strategy: Strategy = "model",
        endpoint: str | None = None,
        endpoint_model: str | None = None,
    ) -> None:
        path = finetuned_model_path if use_finetuned else classifier_path
        if path is None:
            flag = "finetuned_model_path" if use_finetuned else "classifier_path"
            raise UsageError(f"use_finetuned={use_finetuned} needs {flag}: the folder of a trained model")
        model: Model
        if use_finetuned:
            model = FineTuned(Path(path), device)
        else:
            model = load_detector(Path(path), base_folder=resolve_encoder(model_name), device=device)
        self._detector = with_strategy(model, strategy, endpoint, endpoint_model)

    def detect(self, text: str) -> Detection:
        """Label, confidence, the probability of every label, the window that speaks most for it, and all platforms."""
        return self.detect_many([text])[0]

    def detect_many(self, texts: Sequence[str]) -> list[Detection]:
        """Detect the system of each text, in order; much quicker than one call each."""
        return self._detector.detect_many(texts)


def with_strategy(model: Model, strategy: str, endpoint: str | None, endpoint_model: str | None) -> Detector:
    """Give the model alone, or behind the rule and before an endpoint.

    Args:
        model: The model.
        strategy: `model` or `cascade`.
        endpoint: The address of an endpoint, None for OpenAI's own.
        endpoint_model: What it is to be asked; None: nothing is asked.

    Returns:
        What answers.

    Raises:
        UsageError: There is no such strategy, or the endpoint is none, lacks a model or has no part in the strategy.
    """
    if strategy not in ("model", "cascade"):
        raise UsageError(f"strategy {strategy}: give model or cascade")
    if strategy == "model":
        if endpoint or endpoint_model:
            raise UsageError("an endpoint is asked by the cascade alone: give the strategy cascade")
        return model
    if endpoint and not endpoint_model:
        raise UsageError("the endpoint needs a model: the name that it knows it by")
    return Cascade(model, _labeler(endpoint, endpoint_model) if endpoint_model else None)


def _labeler(endpoint: str | None, model: str) -> Labeler:
    from ctiforge.osbert.labeling.openai_labeler import OpenAiLabeler

    return OpenAiLabeler(endpoint, model, open_store(ANSWERS))
