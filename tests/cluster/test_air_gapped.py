"""docs/air-gapped.md, done as it says: a bundle of images and chart is made, checked, and installed from."""

import shutil
from collections.abc import Iterator

import pytest
from tests.cluster.documented import HOSPITAL, Shell, block
from tests.cluster.federation import RELEASE, Cluster
from tests.cluster.shell import ROOT, helm

PAGE, HERE = "air-gapped.md", "1. On a machine with internet"
IN_BUNDLE = "cd bundle\n"


@pytest.fixture(scope="module")
def shell(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """After the page's first part; `bundle` is what is carried over."""
    if not [*(ROOT / "build" / "images").glob("*.tar")]:
        pytest.skip("build/images has no images: make images")
    made = Shell(tmp_path_factory.mktemp("work") / "shell")
    made.do(HERE, 0, PAGE)
    made.lines(block(PAGE, HERE, 1).replace("make images\n", ""))
    made.do(HERE, 4, PAGE)
    yield made
    shutil.rmtree(made.folder / "bundle")  # gigabytes


def test_a_bundle_that_was_changed_on_its_way_is_noticed(shell: Shell) -> None:
    check = IN_BUNDLE + block(PAGE, "2. On the other side")
    shell.lines(check)
    values = shell.folder / "bundle" / "images.values.yaml"
    before = values.read_bytes()
    values.write_bytes(before.replace(b"a", b"b"))
    with pytest.raises(AssertionError, match=r"images\.values\.yaml: FAILED"):
        shell.lines(check)
    values.write_bytes(before)


def test_its_images_go_into_a_node_without_any_registry(shell: Shell) -> None:
    if shutil.which("ctr") is None:
        pytest.skip("the node's containerd cannot be reached from here: no ctr")
    said = shell.lines(IN_BUNDLE + block(PAGE, "Without any registry").replace("sudo ctr", "ctr"))
    archives = [*(shell.folder / "bundle" / "images").iterdir()]
    assert archives and all(f"/{each.stem}@sha256:" in said for each in archives)


def test_its_chart_installs_from_a_file(shell: Shell) -> None:
    shell.values(HOSPITAL)
    shell.lines("mv values.yaml bundle/\n" + IN_BUNDLE + block(PAGE, "The chart"))
    helm("test", RELEASE, "--namespace", HOSPITAL, "--timeout", "5m")
