"""How a program starts and ends: in this process, and in one of its own, on a laptop as in a pod."""

GPU_VARIABLE = "CTIFORGE_GPU"
"""Set in a pod that was given a GPU: a program that finds none there says so, and does not compute on the CPU."""
