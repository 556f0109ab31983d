"""Serves one GGUF with the llama.cpp of the xllamacpp wheel, under the flags of llama-server.

A process of its own, so that what llama.cpp does to it (it aborts on bad files) is told and not shared. It ends
with the one that started it.
"""

import argparse
import sys
from importlib.metadata import version

FLASH_ATTENTION = {"auto": "AUTO", "off": "DISABLED", "on": "ENABLED"}
"""As llama.h ends their names."""


def main() -> None:
    """Serve until standard input ends."""
    import xllamacpp

    parser = argparse.ArgumentParser()
    parser.add_argument("--version", action="version", version=f"xllamacpp {version('xllamacpp')}")
    parser.add_argument("-m", dest="model", required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("-c", dest="context", type=int, required=True)
    parser.add_argument("-np", dest="slots", type=int, required=True)
    parser.add_argument("-t", dest="threads", type=int)
    parser.add_argument("-ctk", dest="cache_k", default="f16")
    parser.add_argument("-ctv", dest="cache_v", default="f16")
    parser.add_argument("-fa", dest="flash_attention", choices=FLASH_ATTENTION, default="auto")
    flags = parser.parse_args()
    wanted = xllamacpp.CommonParams()
    wanted.model.path = flags.model
    wanted.model_alias = {flags.alias}
    wanted.hostnames, wanted.port = [flags.host], flags.port
    wanted.n_ctx, wanted.n_parallel = flags.context, flags.slots
    if flags.threads:
        wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = flags.threads
    wanted.cache_type_k, wanted.cache_type_v = (
        xllamacpp.ggml_type[f"GGML_TYPE_{name.upper()}"] for name in (flags.cache_k, flags.cache_v)
    )
    wanted.flash_attn_type = xllamacpp.llama_flash_attn_type[
        f"LLAMA_FLASH_ATTN_TYPE_{FLASH_ATTENTION[flags.flash_attention]}"
    ]
    server = xllamacpp.Server(wanted)
    sys.stdin.buffer.read()
    del server


if __name__ == "__main__":
    main()
