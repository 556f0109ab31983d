"""What the Kubernetes API refuses or leaves unanswered, in one line: its words, and what to do. Pure."""

import json
import re
from typing import Any

from ctiforge.errors import CtiforgeError, ExitCode

QUOTA = "exceeded quota"
QUOTA_MEND = "; wait until others have ended, or raise the quota: kubectl describe resourcequota"
MENDS = {
    401: "the credentials are refused or have expired: log in to the cluster again; a launcher in the cluster has its "
    "service account's, which `helm uninstall` removes",
    403: "ask for the launcher's role (the chart's values rbac.users and rbac.groups), or name another --namespace",
    404: "is the chart installed in this namespace? `helm list`; name another with --namespace or --release, or the "
    "--store, which keeps what was there",
    422: "the chart's values make what this cluster does not take: mend what it names, then helm upgrade --install",
    409: "others changed the same at the same time: start the same command again",
}
AS_ASKED = "give the chart's values what it asks for"
LET_DELETE = "no value of the chart changes that: have whoever runs it let the launcher delete its Jobs"
POLICIES = (
    (
        r'User "(system:anonymous)"',
        "the API does not know who asks ({}): the kubeconfig's credentials are none, or what is to fetch them failed; "
        "log in to the cluster again",
    ),
    (
        r'admission webhook "([^"]+)" denied',
        f"the admission webhook {{}} refuses it: {AS_ASKED}",
    ),
    (r"ValidatingAdmissionPolicy '([^']+)'", f"the policy {{}} refuses it: {AS_ASKED}"),
    (
        r'failed calling webhook "([^"]+)"',
        "the webhook {} does not answer, and was asked for minutes: tell who runs it",
    ),
    (r"namespace (\S+) because it is being terminated", "namespace {} is being deleted: name another with --namespace"),
    (r"etcdserver: (.+)", "the cluster's database ({}) did not come round in minutes: tell who runs the cluster"),
)
"""What of the API's words tells more than its status, and what is to be done then."""


class ClusterError(CtiforgeError):
    """The cluster refused, or nothing answered; its text says what to do."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.exit_code = ExitCode.CRASH if status is None or status >= 500 else ExitCode.USAGE

    @property
    def is_quota(self) -> bool:
        """Whether a quota of the namespace leaves no room for one object more."""
        return self.status == 403 and QUOTA in str(self)

    @property
    def is_of_namespace(self) -> bool:
        """Whether it is refused because the namespace is on its way out, or not there."""
        return "because it is being terminated" in str(self) or (self.status == 404 and 'namespaces "' in str(self))

    @property
    def refusal(self) -> str:
        """What was refused, in the cluster's words, for who says himself what to do about it."""
        return str(self).removesuffix(QUOTA_MEND).removesuffix(f"; {self.mend}")

    @property
    def mend(self) -> str:
        """What to do about it; empty where nothing is known."""
        return _mend(str(self), self.status)


def read_answer(body: Any) -> dict[str, Any] | None:
    """Read an answer; None where it is no object in JSON, as all of Kubernetes' answers are."""
    try:
        found = json.loads(body)
    except (ValueError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def is_foreign(status: int, body: Any) -> bool:
    """Whether a refusal is none of Kubernetes: that tells in mere text of its overload alone (429, 5xx)."""
    return status < 500 and status != 429 and read_answer(body) is None


def explain(what: str, namespace: str, status: int | None, body: Any) -> str:
    """One line for a person: what was refused, in the API's words, and what to do."""
    said = (read_answer(body) or {}).get("message")
    if not isinstance(said, str) or not said:
        said = _words(body) or f"status {status}"
    if QUOTA in said:
        return f"cannot {what} in namespace {namespace}: {said}{QUOTA_MEND}"
    told = f"cannot {what} in namespace {namespace}: {said}"
    mend = _mend(told, status)
    return f"{told}; {mend}" if mend else told


def explain_foreign(what: str, host: str, status: int, body: Any) -> str:
    """Say in one line that something else than Kubernetes answered, in its words, and what to do."""
    return (
        f"cannot {what}: {host} answers as Kubernetes does not (status {status}: {_words(body)}); it is a proxy or a "
        "login page, or another server: name the API's host in NO_PROXY, log in, or mend the kubeconfig's server"
    )


def explain_silence(what: str, host: str, error: BaseException) -> str:
    """Say why no answer came: the certificate, the name, or nobody there.

    Args:
        what: What was asked, as in "list jobs".
        host: The API's address.
        error: What the HTTP client raised.

    Returns:
        One line.
    """
    said = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in said or "CertificateError" in said:
        found = re.search(r"certificate verify failed: ([^(\"']+)", said)
        why = found[1].strip() if found else "it is of another host"
        return (
            f"cannot {what}: the certificate of {host} is not trusted ({why}); "
            "the kubeconfig's certificate-authority is not that of this cluster: fetch the kubeconfig again"
        )
    if re.search("NameResolutionError|Name or service not known|getaddrinfo", said):
        return f"cannot {what}: the name of {host} is not known here; is the VPN up, and KUBECONFIG the right one?"
    return (
        f"cannot {what}: nothing answers at {host} ({type(error).__name__}); "
        "is the cluster up, and KUBECONFIG the right one?"
    )


def _mend(told: str, status: int | None) -> str:
    policy = next(((found, mend) for words, mend in POLICIES if (found := re.search(words, told))), None)
    if policy is None:
        return MENDS.get(status or 0, "")
    found, mend = policy
    # what is deleted already has what the values gave it
    return (mend.replace(AS_ASKED, LET_DELETE) if told.startswith("cannot delete ") else mend).format(found[1])


def _words(body: Any) -> str:
    """Give the beginning of a text, a page's without its tags, in one line."""
    return " ".join(re.sub("<[^>]*>", " ", str(body or "")).split())[:200]
