"""Computes something on every device that this machine shows: what the doctor asks of a pod with a GPU."""

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import DeviceFlag


def main(device: DeviceFlag = "auto") -> None:
    """Multiply two matrices on every GPU, or on the CPU, and compare the product with what it must be."""
    from ctiforge.training.devices import check_computing, visible_devices

    for each in visible_devices(device):
        print(check_computing(each), flush=True)


if __name__ == "__main__":
    run_program(main)
