"""Why an image cannot be had: its name, its registry, its credentials, or whose it is. Pure.

The texts are those of the kubelet and containerd in Kubernetes 1.31 to 1.37.
"""

import re
from collections.abc import Sequence

from ctiforge.launcher.kubernetes.categories import Category, Diagnosis
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.manifests import CONTAINER
from ctiforge.launcher.kubernetes.reading import container, failing_since, kubectl, shortened, values_key

IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
NO_ANSWER = "dial tcp|timeout|connection refused|TLS|x509|429|toomanyrequests|server misbehaving|50[0234] "
NOT_PERMITTED = "401 Unauthorized|403 Forbidden|denied|authorization failed|authentication required|no basic auth"
NOT_FOUND = "not found|NotFound|manifest unknown|no match for platform|no such host"


def diagnose_image(pod: Object, name: str, reason: str, said: str, events: Sequence[Object]) -> Diagnosis:
    """Say why a container has no image.

    Args:
        pod: The pod.
        name: The container's.
        reason: One of `IMAGE_REASONS`.
        said: What the kubelet says of it.
        events: The pod's own, oldest first.

    Returns:
        The diagnosis, with the chart's value to change.
    """
    return _own(pod, reason, said, events) if name == CONTAINER else _of_another(pod, name, reason, said, events)


def _own(pod: Object, reason: str, said: str, events: Sequence[Object]) -> Diagnosis:
    image = container(pod).get("image", "?")
    where = f"pod {pod['metadata']['name']}: image {image}"
    pulls = [each["message"] for each in events if each["reason"] == "Failed" and "pull image" in each["message"]]
    # the state's own words are cut short where Kubernetes backs off
    words = f"{said} {pulls[-1] if pulls else ''}"
    since = failing_since(pod, events, "Failed")
    key = f"{values_key(pod)}.image"
    if reason == "InvalidImageName":
        remedy = f"write it as repository:tag: mend images.*.repository, images.*.tag or {key}"
        return Diagnosis(Category.IMAGE_NAME_INVALID, f"{where} is no valid name", shortened(said), remedy, since)
    if reason == "ErrImageNeverPull":
        return Diagnosis(
            Category.IMAGE_NOT_FOUND,
            f"{where} is not on the node, and may not be pulled",
            shortened(said),
            f"load it onto the nodes (kind load docker-image {image}), or set pullPolicy of images.* or {key}",
            since,
        )
    detail = shortened(pulls[-1] if pulls and len(pulls[-1]) > len(said) else said)
    if re.search(NOT_FOUND, words) and not re.search(r"denied|server misbehaving", words):
        remedy = f"push it or load it onto the nodes, or name another in images.* or {key}"
        return Diagnosis(Category.IMAGE_NOT_FOUND, f"{where} is not to be found", detail, remedy, since)
    if re.search(NOT_PERMITTED, words):
        unread = [each["message"] for each in events if each["reason"] == "FailedToRetrieveImagePullSecret"]
        secret = " (the one named is not there)" if unread else ""
        return Diagnosis(
            Category.IMAGE_NOT_PERMITTED,
            f"{where} is not to be had with these credentials",
            detail,
            f"name a pull secret in {values_key(pod)}.imagePullSecrets or defaults.imagePullSecrets{secret}; "
            "a repository that does not exist answers the same",
            since,
        )
    why = "its registry does not answer" if re.search(NO_ANSWER, words) else "it cannot be pulled"
    return Diagnosis(
        Category.IMAGE_NOT_PULLED,
        f"{where}: {why}",
        detail,
        f"it is tried again; if it stays so: {kubectl(pod, 'describe', 'pod')}, or load it onto the nodes",
        since,
    )


def _of_another(pod: Object, name: str, reason: str, said: str, events: Sequence[Object]) -> Diagnosis:
    """Give the image of a container beside or before the program cannot be had: it is none of ctiforge's."""
    spec = pod["spec"]
    found = [each for each in [*(spec.get("initContainers") or []), *spec["containers"]] if each["name"] == name]
    image = found[0].get("image", "?") if found else "?"
    return Diagnosis(
        Category.IMAGE_NOT_PULLED,
        f"pod {pod['metadata']['name']}: image {image} of its container {name} cannot be had",
        # it alternates while it is tried again, and what is told is told once
        shortened(f"{reason}: {said}" if said else reason),
        f"mend {values_key(pod)}.initContainers, or what puts the container in (a webhook of the cluster): "
        f"{kubectl(pod, 'describe', 'pod')}",
        failing_since(pod, events, "Failed"),
        container=name,
    )
