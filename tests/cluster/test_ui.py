"""The same from Kubeflow's pages: the form, the run, its figures; and MLflow's. Pictures go into the docs."""

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient
from playwright.sync_api import Browser, Page, Response, ViewportSize, expect
from tests.cluster import kubeflow, people
from tests.cluster.browser import CHROMIUM, Kubeflow, browser, open_page
from tests.cluster.demo import Demo
from tests.cluster.federation import COORDINATOR, FEDERATION, SITES, Cluster
from tests.cluster.first_run import Finished
from tests.cluster.kubeflow import Run
from tests.cluster.people import MLFLOW
from tests.cluster.shell import ROOT, apply, secret

HOSPITAL = "mhh-hannover-de"
SHOTS = ROOT / "docs" / "images"
# Kubeflow draws a curve wider than the half of a usual page that it has for it.
WIDE: ViewportSize = {"width": 2100, "height": 1400}


@dataclass(frozen=True)
class Started:
    """A run that people started from the form: which pages show it, and how it ended there."""

    coordinator: Kubeflow
    hospital: Kubeflow
    ids: dict[str, str]
    states: dict[str, str]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def started(cluster: Cluster, finished: Finished, demo: Demo, chromium: Browser) -> Started:
    for namespace in (COORDINATOR, SITES[HOSPITAL]):
        _person(namespace)
    coordinator = _open(cluster, open_page(chromium), COORDINATOR)
    hospital = _open(cluster, open_page(chromium), SITES[HOSPITAL])
    name = f"from-the-form-{int(time.time())}"
    coordinator.choose_pipeline("wardround-coordinator")
    coordinator.shoot("kubeflow-pipeline")
    coordinator.start(FEDERATION, {"plan_digest": finished.digest, "run": name, "rounds": "3"})
    coordinator.shoot("kubeflow-form")
    ids = {COORDINATOR: coordinator.press_start()}
    hospital.choose_pipeline("wardround-site")
    hospital.start(FEDERATION, {"run": name})
    hospital.shoot("kubeflow-hospital-form")
    ids[SITES[HOSPITAL]] = hospital.press_start()
    runs = [people.submit_site(cluster, site, name) for site in SITES if site != HOSPITAL]
    states = {
        SITES[HOSPITAL]: hospital.follow(ids[SITES[HOSPITAL]], 900),
        COORDINATOR: coordinator.follow(ids[COORDINATOR], 300),
    }
    _wait(cluster, runs)
    return Started(coordinator, hospital, ids, states)


def test_both_runs_are_followed_to_their_end(started: Started) -> None:
    assert set(started.states.values()) == {"Succeeded"}
    started.coordinator.shoot("kubeflow-run")
    started.hospital.shoot("kubeflow-hospital-run")


def test_the_coordinators_page_shows_metrics_a_curve_a_matrix_and_the_report(started: Started) -> None:
    page = started.coordinator.page
    page.set_viewport_size(WIDE)
    started.coordinator.open_artifact("metrics")
    expect(page.get_by_text("val_auc").first).to_be_visible()
    started.coordinator.shoot("kubeflow-metrics")
    started.coordinator.open_artifact("curves")
    expect(page.get_by_text("ROC Curve: curves")).to_be_visible()
    started.coordinator.shoot("kubeflow-roc")
    expect(page.get_by_text("Confusion Matrix: curves")).to_be_visible()
    started.coordinator.open_artifact("report")
    expect(page.frame_locator("iframe").get_by_text("Run from-the-form")).to_be_visible()
    started.coordinator.shoot("kubeflow-report")


def test_a_shared_kubeflow_shows_another_hospital_only_what_has_left_the_hospital(
    cluster: Cluster, started: Started, demo: Demo, chromium: Browser
) -> None:
    """ML Metadata has no tenants: whoever sees the page can list everybody's executions and artifacts."""
    other = SITES["nih-bethesda-us-1"]
    _person(other)
    page = open_page(chromium)
    answers: list[Response] = []
    page.goto(f"{cluster.bed.ui}/?ns={other}&as={other}/person")
    page.on("response", lambda each: answers.append(each) if "ml_metadata" in each.url else None)
    for what in ("artifacts", "executions"):
        page.goto(f"{cluster.bed.ui}/?ns={other}#/{what}")
        page.wait_for_timeout(5000)
        Kubeflow(page, cluster.bed.ui, other, SHOTS).shoot(f"kubeflow-{what}-of-all")
    seen = b"".join(_message(each) for each in answers)
    assert f"minio://{SITES[HOSPITAL]}/".encode() in seen  # or there would be nothing to look for
    assert not [word for word in demo.identifiers(HOSPITAL) if word in seen]
    run = started.ids[SITES[HOSPITAL]]
    page.goto(f"{cluster.bed.ui}/?ns={other}&as={other}/person#/runs/details/{run}")
    page.wait_for_timeout(3000)
    expect(page.get_by_text("Error").first).to_be_visible()


def _message(answer: Response) -> bytes:
    """The bytes of a gRPC-Web answer, whose text form is base64 in pieces."""
    body = answer.body()
    if "grpc-web-text" not in answer.headers.get("content-type", ""):
        return body
    return b"".join(base64.b64decode(piece + b"=" * (-len(piece) % 4)) for piece in body.split(b"="))


def test_mlflows_pages_show_the_experiments_curve_and_the_models_versions_and_aliases(
    started: Started, registry: MlflowClient, demo: Demo, chromium: Browser
) -> None:
    newest = registry.get_registered_model(demo.model_name).latest_versions[0].version
    login = secret(COORDINATOR, "wardround-mlflow")
    page = open_page(chromium, (login["username"].decode(), login["password"].decode()))
    page.goto(MLFLOW)
    page.get_by_role("link", name="default", exact=True).click()
    page.get_by_text("Model training", exact=True).click()
    page.goto(f"{MLFLOW}/#/models/{demo.model_name}?workspace=default")
    expect(page.get_by_role("link", name=f"Version {newest}", exact=True)).to_be_visible()
    _turn_pages_to(page, "champion")
    page.screenshot(path=SHOTS / "mlflow-model.png")
    page.goto(f"{MLFLOW}/#/experiments?workspace=default")
    page.get_by_role("link", name=FEDERATION, exact=True).first.click()
    run = page.locator("a[href*='/runs/']").first
    expect(run).to_be_visible()
    page.screenshot(path=SHOTS / "mlflow-experiment.png")
    run.click()
    page.get_by_role("tab", name="Model metrics").click()
    expect(page.get_by_text("val_auroc").first).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    page.wait_for_timeout(5000)
    page.screenshot(path=SHOTS / "mlflow-curves.png")


def _turn_pages_to(page: Page, text: str) -> None:
    """Goes on in a list of MLflow's to the page that has the text. Raises Playwright's error after the last one."""
    while not page.get_by_text(text).first.is_visible():
        page.get_by_role("button", name="Next", exact=True).click(timeout=5000)
        page.wait_for_timeout(2000)
    page.get_by_text(text).first.scroll_into_view_if_needed()


def _open(cluster: Cluster, page: Page, namespace: str) -> Kubeflow:
    page.goto(f"{cluster.bed.ui}/?ns={namespace}&as={namespace}/person")
    return Kubeflow(page, cluster.bed.ui, namespace, SHOTS)


def _person(namespace: str) -> None:
    """Somebody whom the chart's values could name among its `submitters`."""
    account = {"kind": "ServiceAccount", "name": "person", "namespace": namespace}
    role = {"kind": "Role", "name": "wardround-submitter", "apiGroup": "rbac.authorization.k8s.io"}
    apply(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "person", "namespace": namespace},
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "person-submits", "namespace": namespace},
            "roleRef": role,
            "subjects": [account],
        },
    )


def _wait(cluster: Cluster, runs: list[Run]) -> None:
    assert set(kubeflow.wait(cluster.kubeflow, runs, 300).values()) == {"SUCCEEDED"}
