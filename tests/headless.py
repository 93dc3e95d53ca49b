"""A real browser without a window, where one is installed."""

import shutil
import time
from contextlib import contextmanager

import pytest

FLAGS = (
    'headless',
    'no-sandbox',
    'disable-gpu',
    'disable-quic',
    'no-first-run',
    'disable-background-networking',
    'disable-component-update',
    'disable-sync',
    'disable-dev-shm-usage',
    'window-size=1400,900',
)


@contextmanager
def headless_browser(profile):
    """A Selenium driver over Chromium, its profile in the folder ``profile``; skips the test where either lacks."""
    webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
    chromium = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
    driver = shutil.which('chromedriver')
    if not chromium or not driver:
        pytest.skip('no chromium or no chromedriver on the PATH')
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f'user-data-dir={profile}'):
        options.add_argument(f'--{flag}')
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as browser:
        yield browser


def wait_for(condition):
    """Wait until ``condition()`` is true; returns what it gave."""
    end = time.monotonic() + 600  # only a page that hangs takes so long, also on a busy machine
    while not (found := condition()):
        assert time.monotonic() < end, 'waited too long'
        time.sleep(0.1)
    return found
