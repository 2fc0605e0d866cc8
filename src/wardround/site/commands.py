"""The site's commands, as the command line and the containers call them."""

import threading

from wardround.exchange.connect import open_exchange
from wardround.exchange.patience import PatientExchange
from wardround.plan.program import Program
from wardround.site.context import take_seat
from wardround.site.data import ShardedData
from wardround.site.settings import SiteSettings
from wardround.site.take_part import Summary, take_part
from wardround.turns import one_at_a_time


def train(settings: SiteSettings, stop: threading.Event | None = None) -> Summary:
    """Takes part in the run that the settings name until it ends; `stop` ends it early.

    Another process of this site that takes part in the run is waited for: what it has answered is answered.
    Raises WardroundError; calling it again goes on. To be called by `processes.run_until_signal`.
    """
    stop = stop or threading.Event()
    data = ShardedData(settings.data)
    exchange = PatientExchange(open_exchange(settings.exchange, stop), settings.outage_s, stop)
    seat = take_seat(settings, exchange, stop)
    with one_at_a_time(seat.work / "lock", f"run {settings.run}", stop):
        return take_part(seat, data, lambda plan: Program(plan, threads=settings.threads))
