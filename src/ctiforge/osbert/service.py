"""Which operating system a text is about, for use in a program."""

from collections.abc import Sequence
from pathlib import Path

from ctiforge.errors import UsageError
from ctiforge.osbert.base import resolve_encoder
from ctiforge.osbert.detectors import Detection, FineTuned, Frozen


class OSDetectionService:
    r"""A fine-tuned OS-BERT, or a frozen encoder with a simple classifier, behind one call.

    >>> service = OSDetectionService(use_finetuned=True, finetuned_model_path="models/os-bert")
    >>> service.detect("The loader writes itself to HKCU\\...\\Run").label
    'Windows'

    `model_name` is the encoder that is left frozen when `use_finetuned` is false; `classifier_path`
    then is a folder of baselines_os. `device` is auto, cpu or cuda. Raises UsageError for a folder
    that holds no such model.
    """

    def __init__(
        self,
        model_name: str = "ibm-research/CTI-BERT",
        use_finetuned: bool = True,
        finetuned_model_path: str | Path | None = None,
        *,
        classifier_path: str | Path | None = None,
        device: str = "auto",
    ) -> None:
        path = finetuned_model_path if use_finetuned else classifier_path
        if path is None:
            flag = "finetuned_model_path" if use_finetuned else "classifier_path"
            raise UsageError(f"use_finetuned={use_finetuned} needs {flag}: the folder of a trained model")
        self._detector: FineTuned | Frozen = (
            FineTuned(Path(path), device) if use_finetuned else Frozen(Path(path), resolve_encoder(model_name), device)
        )

    def detect(self, text: str) -> Detection:
        """Label, confidence, the probability of every label, and the window that speaks most for it."""
        return self.detect_many([text])[0]

    def detect_many(self, texts: Sequence[str]) -> list[Detection]:
        """Detect the system of each text, in order; much quicker than one call each."""
        return self._detector.detect_many(texts)
