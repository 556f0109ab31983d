"""Exported models beside their sources: logits of a merged adapter; answers, scores and sizes of every GGUF.

    python benchmarks/bench_export.py [STORE]

Takes the newest Extract Agent of the store (`make train-extract` makes one) to f32, f16, q8_0 and q4_k_m and lets
each answer the demo's test set; a short QLoRA training on the same examples gives the adapter that is merged.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from ctiforge.records.artifact import Manifest

ROOT = Path(__file__).parents[1]
STEPS = 60


def main() -> None:
    """Print what the export program prints, once for an adapter and once for the trained model."""
    store = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / ".ctiforge" / "store")
    trained = _newest(store / "artifacts" / "train_extract")
    if trained is None:
        raise SystemExit(f"error: {store} has no trained Extract Agent: make train-extract first")
    folder, manifest = trained
    with tempfile.TemporaryDirectory() as scratch:
        adapter = f"{scratch}/adapter"
        length, data = manifest.parameters["max_length"], manifest.inputs["data"].uri
        flags = [f"--data={data}", f"--max-length={length}", f"--max-steps={STEPS}", "--learning-rate=5e-3"]
        _run("train_extract", *flags, f"--output={adapter}", "--force")
        _run("export_model", f"--model={adapter}", "--format=merged", f"--output={scratch}/merged")
        test_data = store / "testsets" / "demo" / "1" / "testset.jsonl"
        files = ["--format=gguf", "--quantize=f32,f16,q8_0,q4_k_m", f"--output={scratch}/gguf"]
        _run("export_model", f"--model={folder}", *files, f"--test-data={test_data}")


def _newest(artifacts: Path) -> tuple[Path, Manifest] | None:
    found = [
        (file.parent, Manifest.model_validate_json(file.read_bytes())) for file in artifacts.glob("*/manifest.json")
    ]
    return max(found, key=lambda each: each[1].started_at, default=None)


def _run(program: str, *arguments: str) -> None:
    subprocess.run([sys.executable, str(ROOT / "jobs" / f"{program}.py"), *arguments], check=True)


if __name__ == "__main__":
    main()
