"""Fine-tuning: windows, batches, checkpoints, and a trainer that can be stopped at any step."""

import logging

# on a CPU it names a faster kernel of the Hub's on import, before anybody could hush it, whatever is trained
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
