"""Kubeflow's and MLflow's pages in a headless browser, by what a person sees on them."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

# No sandbox: the tests run as root. The rest keeps the browser from asking the world, where it would wait for answers
# before it loads a page.
_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM = "/usr/bin/chromium"
expect.set_options(timeout=60_000)  # the machine is busy with the runs that the pages show


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser without memory. There can be one at a time in a process: Playwright says so."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=_OPTIONS)
        yield chromium
        chromium.close()


def open_page(chromium: Browser, login: tuple[str, str] | None = None) -> Page:
    """A page that shares nothing with others; `login` answers a server that asks for a name and a password."""
    credentials = None if login is None else {"username": login[0], "password": login[1]}
    context = chromium.new_context(
        viewport={"width": 1680, "height": 1050},
        http_credentials=credentials,  # type: ignore[arg-type]
    )
    context.set_default_timeout(60_000)
    return context.new_page()


@dataclass(frozen=True)
class Kubeflow:
    """Kubeflow Pipelines' own pages, with one namespace selected; pictures go to `shots`."""

    page: Page
    address: str
    namespace: str
    shots: Path

    def shoot(self, name: str) -> None:
        """Takes a picture of the page as it is."""
        self.shots.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self.shots / f"{name}.png")

    def open(self) -> None:
        """Opens the list of pipelines."""
        self.page.goto(f"{self.address}/?ns={self.namespace}#/pipelines")

    def choose_pipeline(self, name: str) -> None:
        """Opens a pipeline that the chart has registered."""
        page, end = self.page, time.monotonic() + 240
        while True:
            try:
                page.goto(f"{self.address}/?ns={self.namespace}#/pipelines")
                page.reload()
                page.get_by_role("link", name=name, exact=True).click(timeout=20_000)
                break
            except Error:
                # The page asks once; while networks change, as with each chart, an answer may be lost.
                if time.monotonic() > end:
                    raise
        expect(page.locator(".react-flow__node").first).to_be_visible()

    def start(self, experiment: str, parameters: Mapping[str, str]) -> str:
        """Fills the form in and starts the run; returns its id. The experiment comes first: it reloads the form."""
        page = self.page
        page.get_by_role("button", name="Create run").click()
        page.get_by_role("button", name="Choose").nth(2).click()
        page.get_by_role("dialog").get_by_text(experiment, exact=True).click()
        page.get_by_role("button", name="Use this experiment").click()
        expect(page.locator(f"input[disabled][value='{experiment}']")).to_be_visible()
        for name, value in parameters.items():
            page.locator(f"input[id='{name}']").fill(value)
        return experiment

    def press_start(self) -> str:
        """Starts what the form says; returns the run's id."""
        self.page.get_by_role("button", name="Start", exact=True).click()
        self.page.wait_for_url("**/runs/details/*")
        return self.page.url.rsplit("/", 1)[-1].split("?")[0]

    def follow(self, run_id: str, seconds: float) -> str:
        """Looks at the run's page until it has ended; returns what it says. Only loading the page renews its state."""
        page, state, end = self.page, "", time.monotonic() + seconds
        while state in ("Pending", "Running", "") and time.monotonic() < end:
            page.wait_for_timeout(5000)
            # A server that is too busy to tell that it is ready gets no visitors for a while.
            with suppress(Error):
                page.goto(f"{self.address}/?ns={self.namespace}#/runs/details/{run_id}")
                page.reload()
                page.get_by_role("button", name="Detail", exact=True).click()
                state = (
                    page.get_by_text("Status", exact=True).locator("xpath=following-sibling::*").inner_text()
                )
        page.get_by_role("button", name="Graph", exact=True).click()
        return state

    def open_artifact(self, name: str) -> None:
        """Opens what a step has made, as the page draws it."""
        self.page.locator(".react-flow__node", has_text=re.compile(f"^{name}$")).first.click()
        self.page.get_by_role("button", name="Visualization", exact=True).click()
