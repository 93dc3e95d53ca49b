"""The page in a real browser: mouse and keys against FaceResult.condition and against what is on the disk."""

import json
import threading

import numpy as np
import pytest
from headless import headless_browser, wait_for

from mmpose_sp.annotation.page_server import page_server

pytestmark = pytest.mark.slow


class Page:
    """What a user sees and does."""

    def __init__(self, browser, url):
        self.browser = browser
        browser.get(url)
        self.ready()

    def ask(self, code):
        return self.browser.execute_script(f'return {code}')

    def ready(self):
        wait_for(lambda: self.ask('!!state.folder && !!(state.picture || $("message").className) && !state.busy'))

    def text(self, name):
        return self.ask(f'$("{name}").textContent')

    def landmarks(self, face=0):
        return np.array(self.ask(f'faces()[{face}].landmarks'))

    def place(self, landmark, face=0):
        """Where a landmark is on the screen, CSS px of the window."""
        code = f'[toScreen(faces()[{face}].landmarks[{landmark}]), canvas.getBoundingClientRect().toJSON()]'
        (x, y), corner = self.ask(code)
        return np.array([x + corner['x'], y + corner['y']])

    def mouse(self, *steps):
        """Real events: ('move', x, y), ('down',), ('up',), ('right',)."""
        from selenium.webdriver.common.action_chains import ActionChains

        chain = ActionChains(self.browser, duration=20)
        pointer = chain.w3c_actions.pointer_action
        for what, *where in steps:
            if what == 'move':
                pointer.move_to_location(*(int(value) for value in where))
            elif what == 'right':
                pointer.pointer_down(button=2)
                pointer.pointer_up(button=2)
            else:
                getattr(pointer, f'pointer_{what}')()
        chain.perform()

    def keys(self, *keys):
        from selenium.webdriver.common.action_chains import ActionChains

        chain = ActionChains(self.browser)
        if len(keys) == 2:
            chain.key_down(keys[0]).send_keys(keys[1]).key_up(keys[0])
        else:
            chain.send_keys(*keys)
        chain.perform()
        self.ready()

    def drag(self, landmark, by, face=0):
        """Drag a landmark ``by`` screen px; returns where it was taken and where it was let go, whole screen px."""
        start = self.place(landmark, face).round()
        path = [('move', *(start + np.array(by) * part)) for part in (0.3, 0.6, 1)]
        self.mouse(('move', *start), ('down',), *path)
        wait_for(lambda: self.ask('state.drag && state.drag.moved && !state.drag.asking'))
        during = self.landmarks(face)
        self.mouse(('up',))
        self.ready()
        return during


@pytest.fixture
def folder(opened):
    return opened()


@pytest.fixture
def page(folder, tmp_path):
    server = page_server(folder)
    with headless_browser(tmp_path / 'profile') as browser:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Page(browser, f'http://127.0.0.1:{server.server_address[1]}/')
        finally:
            server.shutdown()
            server.server_close()


def test_annotating_a_folder(page, folder, landmarker, pictures):
    from selenium.webdriver.common.keys import Keys

    found = landmarker.face(folder.histories['a.png'].faces[0].box)
    assert page.text('count') == '1 / 4' and page.text('name') == 'a.png'
    np.testing.assert_allclose(page.landmarks(), found.landmarks, atol=1e-4)

    # A drag by mouse: the landmark goes by the screen px over the zoom, the others as the Gaussian says.
    zoom = page.ask('state.zoom')
    during = page.drag(8, (30, -20))
    place = found.landmarks[8] + np.array([30, -20]) / zoom
    expected = found.condition({8: place}).landmarks
    np.testing.assert_allclose(during, expected, atol=0.01)
    np.testing.assert_allclose(page.landmarks(), expected, atol=0.01)
    np.testing.assert_allclose(folder.look(0)['faces'][0]['landmarks'], expected, atol=0.01)
    assert '1 by hand' in page.text('about')
    assert np.abs(expected - found.landmarks)[[6, 7, 9, 10]].max() > 1  # the neighbours did follow

    # Undo, redo, and a right click that lets it follow again.
    page.keys(Keys.CONTROL, 'z')
    np.testing.assert_allclose(page.landmarks(), found.landmarks, atol=1e-4)
    page.keys(Keys.CONTROL, 'y')
    np.testing.assert_allclose(page.landmarks(), expected, atol=0.01)
    page.mouse(('move', *page.place(8)), ('right',))
    wait_for(lambda: '0 by hand' in page.text('about'))
    page.keys(Keys.CONTROL, 'z')

    # The wheel zooms about the mouse; a drag at another zoom still ends where the mouse is.
    page.mouse(('move', *page.place(30)))
    page.keys('+')
    assert page.ask('state.zoom') == pytest.approx(1.25 * zoom)
    at = found.condition({8: place}).landmarks[40]
    page.drag(40, (-25, 10))
    both = {8: place, 40: at + np.array([-25, 10]) / (1.25 * zoom)}
    np.testing.assert_allclose(page.landmarks(), found.condition(both).landmarks, atol=0.02)

    # Enter accepts: written, and the next picture is there, with two faces.
    page.keys(Keys.ENTER)
    wait_for(lambda: page.text('name') == 'b.jpg' and page.ask('faces().length') == 2)
    (row,) = json.loads((pictures / 'annotations.json').read_text())['annotations']
    kept = np.array(row['keypoints']).reshape(-1, 3)[:, :2]
    np.testing.assert_allclose(kept, found.condition(both).landmarks, atol=0.02)
    assert page.text('accepted') == '1 accepted'
    page.keys(Keys.DELETE)
    assert page.ask('faces().length') == 1

    # A picture without a face: a box around one is drawn.
    page.keys(Keys.ARROW_RIGHT)
    assert page.text('about') == 'no face' and 'no face' in page.text('message')
    page.keys('b')
    corner = page.ask('canvas.getBoundingClientRect().toJSON()')
    corners = [
        np.array(page.ask(f'toScreen([{x}, {y}])')) + [corner['x'], corner['y']] for x, y in ((30, 30), (90, 110))
    ]
    page.mouse(('move', *corners[0]), ('down',), ('move', *corners[1]), ('up',))
    wait_for(lambda: page.ask('faces().length') == 1)
    np.testing.assert_allclose(page.landmarks(), landmarker.face([30, 30, 90, 110]).landmarks, atol=1)

    # One that cannot be read says so, and the way back is open.
    page.keys(Keys.ARROW_RIGHT)
    assert 'cannot be decoded' in page.text('message') and page.text('count') == '4 / 4'
    page.keys(Keys.ARROW_LEFT)
    assert page.text('name') == 'c.png'


def test_a_drag_out_of_the_window_and_one_too_far(page, folder):
    page.keys('0')
    start = page.place(30)
    page.mouse(('move', *start), ('down',), ('move', start[0] - 20, 3), ('up',))
    page.ready()
    assert folder.look(0)['faces'][0]['corrected'] == [30]
    before = page.landmarks()
    page.ask('zoomBy(0.04, [300, 300])')
    page.drag(0, (250, 300))
    assert 'far outside' in page.text('message')
    np.testing.assert_allclose(page.landmarks(), before, atol=1e-4)
