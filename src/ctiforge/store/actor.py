"""Who acts: for the history of what is in use."""

import getpass
import os
import socket

from ctiforge.settings import load_settings


def find_actor() -> str:
    """Find out who acts.

    Returns:
        The setting `actor`; else in a cluster the pod, elsewhere the person's login name, or the machine's.
    """
    named = load_settings().settings.actor
    if named:
        return named
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return f"pod {socket.gethostname()}"
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return socket.gethostname()
