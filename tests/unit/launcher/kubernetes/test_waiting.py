"""One row per reason why a Job has no pod, or its pod no running program: the cluster's words, then ours."""

import pytest

from ctiforge.launcher.backend import Event
from ctiforge.launcher.kubernetes.diagnosis import Category, Diagnosis, diagnose
from ctiforge.launcher.kubernetes.telling import Telling
from tests.unit.launcher.kubernetes.cases import (
    IMAGE,
    JOB,
    POD,
    Object,
    after,
    at,
    ended,
    event,
    expect,
    job,
    pod,
    waiting,
)

FORBIDDEN = f'pods "{JOB}-" is forbidden:'
OVER_QUOTA = f"{FORBIDDEN} exceeded quota: compute, requested: limits.memory=32Gi, used: limits.memory=8Gi, limited: "
WEBHOOK_DOWN = (
    'Internal error occurred: failed calling webhook "v.corp.example": failed to call webhook: '
    'Post "https://policy.corp.svc:443/validate?timeout=10s": dial tcp 10.96.0.9:443: connect: connection refused'
)
NO_ACCOUNT = 'error looking up service account ml/ctiforge-stage: serviceaccount "ctiforge-stage" not found'
KYVERNO = 'admission webhook "validate.kyverno.svc-fail" denied the request: label team is required'
POLICY = "ValidatingAdmissionPolicy 'images' with binding 'images' denied request: only registry.corp"
PRIVILEGED = 'violates PodSecurity "restricted:latest": restricted volume types (volume "data" uses "hostPath")'
NO_RUNTIME = 'pod rejected: RuntimeClass "nvidia" not found'
TOO_LARGE = "maximum memory usage per Container is 16Gi, but limit is 32Gi"
REFUSED = Category.ADMISSION_REFUSED


@pytest.mark.parametrize(
    ("said", "category", "told", "remedy"),
    [
        (f"{OVER_QUOTA}limits.memory=32Gi", Category.QUOTA_EXCEEDED, "no room for limits.memory", "quota compute"),
        (f"{FORBIDDEN} {PRIVILEGED}", REFUSED, "hostPath", "stages.train_extract.extraVolumes"),
        (KYVERNO, REFUSED, "webhook validate.kyverno.svc-fail refuses", "stages.train_extract"),
        (f"{FORBIDDEN} {POLICY}", REFUSED, "policy images refuses", "stages.train_extract"),
        (f"{FORBIDDEN} no PriorityClass with name high was found", REFUSED, "priority class high", "priorityClassName"),
        (f"{FORBIDDEN} {NO_RUNTIME}", REFUSED, "no runtime class nvidia", "stages.train_extract.runtimeClassName"),
        (f"{FORBIDDEN} {NO_ACCOUNT}", REFUSED, "no service account ctiforge-stage", "helm upgrade"),
        (f"{FORBIDDEN} {TOO_LARGE}", REFUSED, "maximum memory usage", "stages.train_extract.resources"),
        (WEBHOOK_DOWN, Category.POD_NOT_CREATED, "failed calling webhook", f"kubectl -n ml describe job {JOB}"),
    ],
)
def test_no_pod(said: str, category: Category, told: str, remedy: str) -> None:
    refused = event("FailedCreate", f"Error creating: {said}", JOB, since=2)
    found = expect(diagnose(job(), [], [refused], after(3)), category, told, remedy)
    assert found.since == after(2)
    assert found.category.is_fatal == (category is REFUSED)


def test_a_refusal_is_past_once_a_pod_was_made() -> None:
    before = event("FailedCreate", f'Error creating: {FORBIDDEN} violates PodSecurity "restricted"', JOB, since=2)
    made = event("SuccessfulCreate", "Created pod", JOB, since=60)
    assert diagnose(job(), [], [before], after(3)) is not None
    # evicted since: the next pod is on its way, and the old event stays for an hour
    assert diagnose(job(), [], [before, made], after(70)) is None


def test_a_refusal_counts_only_while_there_is_no_newer_pod() -> None:
    before = event("FailedCreate", f"Error creating: {WEBHOOK_DOWN}", JOB, since=2)
    later = event("FailedCreate", f"Error creating: {OVER_QUOTA}limits.memory=32Gi", JOB, since=60)
    assert diagnose(job(), [pod("Pending", created=3)], [before], after(4)) is None
    expect(diagnose(job(failed=1), [ended(1)], [before], after(61)), Category.CRASHED, "crashed", "")
    expect(diagnose(job(failed=1), [ended(1)], [before, later], after(61)), Category.QUOTA_EXCEEDED, "compute", "quota")


PULL = f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": '
HEAD = 'failed to do request: Head "https://registry.example/v2/ctiforge-train/manifests/0.1.0": '
NO_HOST = f"{HEAD}dial tcp: lookup registry.example on 10.96.0.10:53: no such host"
MISBEHAVING = f"{HEAD}dial tcp: lookup registry.example on 172.18.0.1:53: server misbehaving"
DENIED = (
    "pull access denied, repository does not exist or may require authorization: "
    "server message: insufficient_scope: authorization failed"
)
STATUS = "unexpected status from HEAD request to https://registry.example/v2/ctiforge-train/manifests/0.1.0: "
NOT_THERE, NOT_PERMITTED, NOT_PULLED = (
    Category.IMAGE_NOT_FOUND,
    Category.IMAGE_NOT_PERMITTED,
    Category.IMAGE_NOT_PULLED,
)


@pytest.mark.parametrize("backs_off", [False, True])
@pytest.mark.parametrize(
    ("said", "category", "told", "remedy"),
    [
        (f"{PULL}{IMAGE}: not found", NOT_THERE, f"image {IMAGE} is not to be found", "stages.train_extract.image"),
        (f"{PULL}no match for platform in manifest sha256:ab: not found", NOT_THERE, "no match for platform", "image"),
        (f"{PULL}{NO_HOST}", NOT_THERE, "no such host", "load it onto the nodes, or name another in images.*"),
        (f"{PULL}{DENIED}", NOT_PERMITTED, "with these credentials", "stages.train_extract.imagePullSecrets"),
        (f"{PULL}{STATUS}401 Unauthorized", NOT_PERMITTED, "401 Unauthorized", "imagePullSecrets"),
        (f"{PULL}{STATUS}403 Forbidden", NOT_PERMITTED, "403 Forbidden", "imagePullSecrets"),
        (f"{PULL}{STATUS}429 Too Many Requests", NOT_PULLED, "its registry does not answer", "it is tried again"),
        (f"{PULL}{HEAD}dial tcp 10.0.0.7:443: i/o timeout", NOT_PULLED, "does not answer", f"describe pod {POD}"),
        (f"{PULL}{MISBEHAVING}", NOT_PULLED, "its registry does not answer", "it is tried again"),
        (f"{PULL}unexpected EOF", NOT_PULLED, "cannot be pulled", "it is tried again"),
    ],
)
def test_no_image(said: str, category: Category, told: str, remedy: str, backs_off: bool) -> None:
    failed = event("Failed", f'Failed to pull image "{IMAGE}": {said}', since=4)
    hidden = waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"')
    found = diagnose(job(), [hidden if backs_off else waiting("ErrImagePull", said)], [failed], after(5))
    assert expect(found, category, told, remedy).since == after(4)
    assert category.is_fatal == (category is not NOT_PULLED)


def test_no_image_by_its_name_or_policy_or_a_pull_secret_that_is_not_there() -> None:
    invalid = waiting("InvalidImageName", 'couldn\'t parse image name "A b": invalid reference format')
    expect(
        diagnose(job(), [invalid], [], after(5)),
        Category.IMAGE_NAME_INVALID,
        "invalid reference",
        "images.*.repository",
    )
    never = waiting("ErrImageNeverPull", f'Container image "{IMAGE}" is not present with pull policy of Never')
    expect(diagnose(job(), [never], [], after(5)), NOT_THERE, "may not be pulled", f"kind load docker-image {IMAGE}")
    unread = event("FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (regcred); …")
    refused = waiting("ErrImagePull", f"{PULL}{STATUS}401 Unauthorized")
    expect(diagnose(job(), [refused], [unread], after(5)), NOT_PERMITTED, "401", "(the one named is not there)")


SECRET, CONFIG_MAP, CANNOT_START = Category.SECRET_MISSING, Category.CONFIG_MAP_MISSING, Category.CANNOT_START
AS_ROOT = f'container has runAsNonRoot and image will run as root (pod: "{POD}_ml(1)", container: stage)'


@pytest.mark.parametrize(
    ("said", "category", "told", "remedy"),
    [
        ('secret "team-db" not found', SECRET, "there is no secret team-db", "database.existingSecret"),
        ('secret "s3-keys" not found', SECRET, "there is no secret s3-keys", "store.existingSecret"),
        ('secret "proxy-login" not found', SECRET, "no secret proxy-login", "in stages.train_extract.envFrom"),
        ('configmap "flags" not found', CONFIG_MAP, "no config map flags", "in stages.train_extract.envFrom"),
        ("couldn't find key DATABASE_URL in Secret ml/team-db", SECRET, "has no key DATABASE_URL", "database.key"),
        ('configmap "extra" not found', CONFIG_MAP, "no config map extra", "stages.train_extract.extraEnv"),
        ("couldn't find key flag in ConfigMap ml/extra", CONFIG_MAP, "extra has no key flag", "add the key"),
        (AS_ROOT, CANNOT_START, "runAsNonRoot", "podSecurity.runAsUser"),
        ('failed to prepare subPath for volumeMount "own"', CANNOT_START, "subPath", "stages.train_extract"),
    ],
)
def test_no_container(said: str, category: Category, told: str, remedy: str) -> None:
    failed = event("Failed", f"Error: {said}", since=3)
    found = diagnose(job(), [waiting("CreateContainerConfigError", said)], [failed], after(5))
    assert expect(found, category, told, remedy).since == after(3)
    assert category.is_fatal


@pytest.mark.parametrize(
    ("volume", "said", "category", "told", "remedy"),
    [
        ("ca-bundle", 'configmap "corp-ca" not found', CONFIG_MAP, "no config map corp-ca", "caBundle.configMap"),
        (
            "ca-bundle",
            "configmap references non-existent config key: ca.crt",
            CONFIG_MAP,
            "no key ca.crt",
            "caBundle.key",
        ),
        ("own", 'secret "own-files" not found', SECRET, "no secret own-files", "stages.train_extract.extraVolumes"),
        ("own", "references non-existent secret key: a", SECRET, "own-files has no key a", "add the key"),
        ("pvc-1", "rpc error: disk is in use", Category.VOLUME_NOT_MOUNTED, "disk is in use", f"describe pod {POD}"),
    ],
)
def test_no_volume(volume: str, said: str, category: Category, told: str, remedy: str) -> None:
    failed = event("FailedMount", f'MountVolume.SetUp failed for volume "{volume}" : {said}', since=3)
    found = diagnose(job(), [waiting("ContainerCreating")], [failed], after(5))
    assert expect(found, category, told, remedy).since == after(3)


def pulling(since: float) -> Object:
    return event("Pulling", f'Pulling image "{IMAGE}"', since=since)


@pytest.mark.parametrize(
    ("seconds", "its_pod", "events"),
    [
        (1, None, []),
        (60, None, []),
        (1, pod("Pending"), []),
        (5, waiting("ContainerCreating"), []),
        (119, waiting("ContainerCreating"), [event("Scheduled", "Successfully assigned")]),
        (500, waiting("ContainerCreating"), [pulling(2)]),
        (
            9,
            waiting("CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition"),
            [],
        ),
        (9, waiting("ContainerCreating"), [event("FailedMount", 'object "ml"/"corp-ca" not registered')]),
        (9, waiting("ContainerCreating"), [event("FailedMount", 'configmap "corp-ca" not found', since=2), pulling(4)]),
    ],
)
def test_waiting_is_no_fault(seconds: float, its_pod: Object | None, events: list[Object]) -> None:
    assert diagnose(job(), [its_pod] if its_pod else [], events, after(seconds)) is None


def test_waiting_for_long_is_told_with_what_is_under_way() -> None:
    creating = waiting("ContainerCreating")
    sandbox = event("FailedCreatePodSandBox", 'plugin type="calico" failed (add): no IP address left', since=9)
    slow = Category.SLOW_START
    expect(diagnose(job(), [creating], [sandbox], after(200)), slow, "no IP address left", f"describe pod {POD}")
    expect(diagnose(job(), [creating], [pulling(2)], after(700)), slow, "image is still being pulled", "wait")
    unseen = pod("Pending")
    unseen["status"]["conditions"] = []
    expect(diagnose(job(), [unseen], [], after(200)), slow, "no scheduler has looked at it", "wait")
    assert not slow.is_fatal


def test_a_memory_limit_that_leaves_no_room_to_start() -> None:
    said = (
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to create containerd task: failed to "
        "create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
        "container init was OOM-killed (memory limit too low?): unknown"
    )
    sandbox = event("FailedCreatePodSandBox", said, since=2)
    expect(
        diagnose(job(), [waiting("ContainerCreating")], [sandbox], after(5)),
        Category.CANNOT_START,
        "memory limit of 32Gi is too small",
        "stages.train_extract.resources.limits.memory above 32Gi",
    )


def beside(found: Object, name: str, state: Object, image: str, key: str = "containerStatuses") -> Object:
    """The pod with another container in this state."""
    where = "initContainers" if key == "initContainerStatuses" else "containers"
    found["spec"] = {**found["spec"], where: [*found["spec"].get(where, []), {"name": name, "image": image}]}
    found["status"].setdefault(key, []).append({"name": name, "state": state})
    return found


@pytest.mark.parametrize("key", ["initContainerStatuses", "containerStatuses"])
def test_an_image_of_another_container_that_cannot_be_had_is_told_at_once_and_once(key: str) -> None:
    """The kubelet's reason alternates between two, of one trouble."""

    def told(reason: str) -> Diagnosis:
        pull = {"waiting": {"reason": reason, "message": 'pulling image "mesh.example/proxy:9"'}}
        found = diagnose(
            job(), [beside(waiting("PodInitializing"), "mesh", pull, "mesh.example/proxy:9", key)], [], after(4)
        )
        expect(
            found,
            Category.IMAGE_NOT_PULLED,
            "image mesh.example/proxy:9 of its container mesh cannot be had",
            "a webhook of the cluster",
        )
        assert found
        assert found.detail.startswith(f"{reason}: pulling")
        return found

    said: list[Event] = []
    telling = Telling(said.append)
    for reason in ("ErrImagePull", "ImagePullBackOff", "ErrImagePull"):
        telling.tell(told(reason), after(4))
    assert len(said) == 1


def test_an_init_container_that_takes_long_is_named() -> None:
    found = beside(
        waiting("PodInitializing"), "vault", {"running": {"startedAt": at(2)}}, "vault:1", "initContainerStatuses"
    )
    expect(diagnose(job(), [found], [], after(200)), Category.SLOW_START, "its init container vault still runs", "wait")


@pytest.mark.parametrize("is_sidecar", [True, False])
def test_an_init_container_that_failed_is_told_to_be_started_again_where_it_is(is_sidecar: bool) -> None:
    """The pod of one that is not stays pending for some seconds before it fails."""
    failed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    found = beside(waiting("PodInitializing"), "vault", failed, "vault:1", "initContainerStatuses")
    if is_sidecar:
        found["spec"]["initContainers"][-1]["restartPolicy"] = "Always"
    diagnosis = diagnose(job(), [found], [], after(4))
    assert ("and is started again" in diagnosis.summary if diagnosis else False) is is_sidecar


@pytest.mark.parametrize(("started", "names"), [(True, "its node has not started it"), (False, "container mesh still")])
def test_a_sidecar_that_has_started_is_not_what_a_program_waits_for(started: bool, names: str) -> None:
    found = beside(
        waiting("PodInitializing"), "mesh", {"running": {"startedAt": at(2)}}, "mesh:1", "initContainerStatuses"
    )
    found["spec"]["initContainers"][-1]["restartPolicy"] = "Always"
    found["status"]["initContainerStatuses"][-1]["started"] = started
    expect(diagnose(job(), [found], [], after(200)), Category.SLOW_START, names, "wait")


@pytest.mark.parametrize(
    ("state", "category"),
    [
        (("CreateContainerConfigError", 'secret "mesh-certs" not found'), None),
        (("ErrImagePull", "denied"), Category.IMAGE_NOT_PULLED),
    ],
)
def test_what_lacks_something_beside_a_program_that_runs_ends_nothing_and_holds_up_nobody(
    state: tuple[str, str], category: Category | None
) -> None:
    reason, said = state
    runs = pod("Pending", {"running": {"startedAt": at(1)}})
    runs["spec"]["containers"] = [*runs["spec"]["containers"], {"name": "mesh", "image": "mesh:1"}]
    runs["status"]["containerStatuses"].append(
        {"name": "mesh", "state": {"waiting": {"reason": reason, "message": said}}}
    )
    found = diagnose(job(), [runs], [event("Failed", f"Error: {said}", since=2)], after(60))
    assert (found and found.category) == category
    if found:
        assert not found.category.is_fatal
        assert found.summary.startswith(f"pod {POD}: image mesh:1"), "one pod waits for no others"


def test_a_namespace_on_its_way_out_is_no_fault_of_the_stage() -> None:
    said = f"{FORBIDDEN} unable to create new content in namespace ml because it is being terminated"
    refused = event("FailedCreate", f"Error creating: {said}", JOB, since=2)
    expect(diagnose(job(), [], [refused], after(3)), Category.ADMISSION_REFUSED, "ml is being deleted", "another one")
