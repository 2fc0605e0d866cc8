"""Pods that listen, and pods that try to connect: what a network policy lets through."""

from typing import Any

from tests.cluster.shell import kubectl

# Pod Security `restricted` wants this of every pod, and the images run as this user.
_POD = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
_CONTAINER = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
_TRY = """
import socket, sys
for target in sys.argv[1:]:
    host, port = target.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        print(target, "open", flush=True)
    except OSError:
        print(target, "closed", flush=True)
"""
_SERVE = """
import socket, sys, threading
def serve(listener):
    while True:
        listener.accept()[0].close()
threads = [threading.Thread(target=serve, args=[socket.create_server(("", int(port)))]) for port in sys.argv[1:]]
for thread in threads:
    thread.start()
"""


def server(namespace: str, name: str, image: str, *ports: int) -> list[dict[str, Any]]:
    """A pod labelled `app: NAME` that listens on ports, and its Service."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": f"p{port}", "port": port} for port in ports],
        },
    }
    return [_pod(namespace, name, {"app": name}, image, [_SERVE, *map(str, ports)]), service]


def client(
    namespace: str, name: str, labels: dict[str, str], image: str, targets: list[str]
) -> dict[str, Any]:
    """A pod that tries to connect to each target, `host:port`."""
    return _pod(namespace, name, labels, image, [_TRY, *targets])


def reached(namespace: str, name: str) -> dict[str, bool]:
    """Which of its targets such a pod could connect to, once it has ended."""
    ended = "--for=jsonpath={.status.phase}=Succeeded"
    kubectl("-n", namespace, "wait", ended, f"pod/{name}", "--timeout=180s")
    lines = kubectl("-n", namespace, "logs", name).split("\n")
    return {target: word == "open" for target, word in (line.split() for line in lines)}


def _pod(
    namespace: str, name: str, labels: dict[str, str], image: str, arguments: list[str]
) -> dict[str, Any]:
    container = {
        "name": "python",
        "image": image,
        "command": ["python", "-c", *arguments],
        "securityContext": _CONTAINER,
    }
    spec = {
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "securityContext": _POD,
        "containers": [container],
    }
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
