"""What the API refuses, or does not answer, is told with what to do about it."""

import json

import pytest

from ctiforge.launcher.kubernetes.refusals import ClusterError, explain, explain_silence

KYVERNO = (
    'admission webhook "validate.kyverno.svc-fail" denied the request: resource Job/ml/train-extract-1 was blocked due '
    "to the following policies: require-requests"
)
POLICY = (
    "jobs.batch \"a\" is forbidden: ValidatingAdmissionPolicy 'images' with binding 'all' denied request: no digest"
)
QUOTA = 'jobs.batch "a" is forbidden: exceeded quota: jobs, requested: count/jobs.batch=1, used: 3, limited: 3'
ENDING = 'jobs.batch "a" is forbidden: unable to create new content in namespace ml because it is being terminated'
ANONYMOUS = 'jobs.batch "a" is forbidden: User "system:anonymous" cannot get resource "jobs" in the namespace "ml"'
ROLE = 'jobs.batch is forbidden: User "ada" cannot create resource "jobs" in API group "batch" in the namespace "ml"'


@pytest.mark.parametrize(
    ("status", "said", "remedy"),
    [
        (403, ROLE, "ask for the launcher's role"),
        (403, QUOTA, "raise the quota"),
        (403, KYVERNO, "the admission webhook validate.kyverno.svc-fail refuses it"),
        (400, KYVERNO, "give the chart's values what it asks for"),
        (403, POLICY, "the policy images refuses it"),
        (403, ENDING, "namespace ml is being deleted"),
        (500, 'failed calling webhook "v.corp": context deadline exceeded', "the webhook v.corp does not answer"),
        (500, "etcdserver: request timed out", "the cluster's database (request timed out)"),
        (401, "Unauthorized", "log in to the cluster again"),
        (403, ANONYMOUS, "log in to the cluster again"),
        (404, 'cronjobs.batch "t-train-extract" not found', "is the chart installed"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, said: str, remedy: str) -> None:
    told = explain("create job a", "ml", status, json.dumps({"message": said}))
    assert told.startswith(f"cannot create job a in namespace ml: {said}; ")
    assert remedy in told
    assert "\n" not in told
    if status == 403 and said != ROLE:
        assert "role" not in told, "who has the right is not sent to ask for it"


@pytest.mark.parametrize("said", [KYVERNO, POLICY])
def test_who_refuses_a_deletion_is_not_answered_by_values(said: str) -> None:
    error = ClusterError(explain("delete job a", "ml", 403, json.dumps({"message": said})), 403)
    assert "have whoever runs it let the launcher delete its Jobs" in str(error)
    assert "give the chart's values" not in str(error)
    assert error.refusal == f"cannot delete job a in namespace ml: {said}"


def test_an_answer_that_is_no_json_is_one_short_line() -> None:
    told = explain("list pods", "ml", 502, "<html>\n<body>Bad Gateway</body>\n" + "x" * 900)
    assert "Bad Gateway" in told
    assert "\n" not in told
    assert len(told) < 300


@pytest.mark.parametrize("message", [None, 7, "", {"why": "quota"}])
def test_a_refusal_whose_message_is_no_text_is_told_as_it_came(message: object) -> None:
    told = explain("create job a", "ml", 403, json.dumps({"message": message}))
    assert '{"message": ' in told
    assert "ask for the launcher's role" in told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            "Max retries exceeded (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] "
            "certificate verify failed: self-signed certificate in certificate chain (_ssl.c:1006)')))",
            "is not trusted (self-signed certificate in certificate chain); the kubeconfig's certificate-authority",
        ),
        ("<HTTPSConnection>: Failed to resolve 'api.corp' ([Errno -2] Name or service not known)", "is the VPN up"),
        ("Connection refused", "nothing answers at https://api.corp (OSError)"),
    ],
)
def test_silence_says_why(error: str, told: str) -> None:
    assert told in explain_silence("list jobs", "https://api.corp", OSError(error))


def test_a_quota_is_told_from_a_missing_right() -> None:
    assert ClusterError(explain("create job a", "ml", 403, json.dumps({"message": QUOTA})), 403).is_quota
    assert not ClusterError(explain("create job a", "ml", 403, json.dumps({"message": ROLE})), 403).is_quota
