"""Memory explorer: states, differences and gradients are those of the package."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import traitlets

from lessons import rnn
from lessons.widgets import MemoryExplorer
from lessons.widgets.memory import NETWORKS, WIDTH, fresh, remembered

NEAR = {"rtol": 1e-5, "atol": 1e-300}
SETTINGS = {
    "mild": {"gain": 1.0, "forget_bias": 1.0, "update_bias": 0.0},
    "small": {"gain": 0.2, "forget_bias": -2.0, "update_bias": -2.0},
    "large": {"gain": 2.0, "forget_bias": 5.0, "update_bias": 5.0},
}


@functools.cache
def figure():
    """Make the figure once: its weights are drawn and compiled."""
    return MemoryExplorer(steps=40, pulse=12)


def numbers(data):
    """Return what the page reads from a trait of float32 bytes."""
    return np.frombuffer(data, "<f4").astype(float)


def package(network, settings, steps, pulse):
    """Measure with the package, in doubles as the page does."""
    explorer = figure()
    for name, value in settings.items():
        setattr(explorer, name, value)
    with jax.enable_x64(True):
        params = {
            k: jnp.asarray(v, float) for k, v in explorer._networks[network].items()
        }
        params["w_h"] = settings["gain"] * params["w_h"]
        if network != "plain":
            name = "forget_bias" if network == "lstm" else "update_bias"
            params["b"] = params["b"].at[1].set(settings[name])
        x = jnp.asarray(numbers(explorer.inputs)[:steps, None])
        return [np.asarray(a) for a in remembered(network, params, x, pulse)]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_left_and_how_far_the_gradient_reaches(js, network, name):
    chosen = SETTINGS[name]
    left, reach = package(network, chosen, 40, 12)
    settings = {"steps": 40, "pulse": 12, "gain": chosen["gain"]}
    settings |= {"forgetBias": chosen["forget_bias"]}
    settings |= {"updateBias": chosen["update_bias"]}
    weights, inputs = numbers(figure().weights), numbers(figure().inputs)
    got = js("memory.js", "rememberedFrom", weights, inputs, settings, network)
    # A difference of two states is known to the last digit of the states.
    np.testing.assert_allclose(got["left"], left, rtol=1e-5, atol=1e-14)
    np.testing.assert_allclose(got["reach"], reach, **NEAR)
    assert got["left"][:11] == [0] * 11 and got["left"][11] > 0
    assert got["reach"][-1] == pytest.approx(np.sqrt(WIDTH))


def random_cell(network, n_in=3, width=5):
    """Draw a cell with every parameter off zero."""
    init = {"plain": rnn.rnn_init, "gru": rnn.gru_init, "lstm": rnn.lstm_init}[network]
    rng = np.random.default_rng(4)
    params = init(jax.random.key(0), n_in, width)
    return {
        k: np.asarray(p) + 0.4 * rng.normal(size=p.shape) for k, p in params.items()
    }


@pytest.mark.parametrize("network", NETWORKS)
def test_states_and_gradients_of_any_cell(js, network):
    params, steps = random_cell(network), 7
    x = np.random.default_rng(5).normal(size=(steps, 3))
    cell = {k: np.ravel(p) for k, p in params.items()}
    cell |= {"kind": network, "nIn": 3, "width": 5}
    layer = {"plain": rnn.rnn, "gru": rnn.gru, "lstm": rnn.lstm}[network]
    records = js("cells.js", "unroll", cell, x)
    shown = [record["state"][:5] for record in records]
    with jax.enable_x64(True):
        params = jax.tree.map(jnp.asarray, params)
        outputs, end = layer(params, jnp.asarray(x[None]))
        np.testing.assert_allclose(shown, outputs[0], rtol=1e-5)
        if network == "lstm":
            np.testing.assert_allclose(records[-1]["state"][5:], end.c[0], rtol=1e-5)
        # jax.vjp from each state to the end, one after the other.
        expected = []
        for t in range(steps):
            state = jnp.asarray(records[t]["state"])[None]
            given = rnn.LstmState(state[:, :5], state[:, 5:])
            state = given if network == "lstm" else state

            def end_of(state, t=t):
                if t == steps - 1:
                    return getattr(state, "h", state)
                last = layer(params, jnp.asarray(x[None, t + 1 :]), state=state)[1]
                return getattr(last, "h", last)

            value, pull = jax.vjp(end_of, state)
            [grad] = pull(jnp.ones_like(value))
            expected.append(jnp.concatenate(jax.tree.leaves(grad), axis=-1)[0])
    got = js("cells.js", "gradientsFrom", cell, x)
    np.testing.assert_allclose(got, np.array(expected), rtol=1e-5, atol=1e-12)


def test_the_chapters_claims_hold_in_the_figure(js):
    weights, inputs = numbers(figure().weights), numbers(figure().inputs)
    chosen = {"steps": 60, "pulse": 10, "gain": 1, "forgetBias": 1, "updateBias": 0}

    def kept(network, **other):
        args = weights, inputs, chosen | other, network
        left = js("memory.js", "rememberedFrom", *args)["left"]
        return left[-1] / left[9]

    assert kept("plain") < 1e-3 and kept("gru") < 1e-6, "fresh networks forget"
    assert kept("lstm", forgetBias=4) > 0.1, "an open gate remembers"
    assert kept("plain", gain=0.5) < kept("plain") < kept("plain", gain=1.5)


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (3e-9, "3e−9 of its effect is left: a plain network forgets."),
        (1e-60, "In float32, the usual type of weights, such a number is 0."),
        (0.0, "nothing of its effect is left"),
        (0.42, "42 % of its effect is left: a plain network remembers it."),
        (25.0, "25 times its effect is left: a plain network lets it grow."),
        (float("inf"), "more than a computer can hold of its effect"),
    ],
)
def test_the_words(js, kept, words):
    found = {"left": [0, 1.0, 0.5, kept], "reach": [kept, kept, 1.0, 1.0]}
    text = js("memory.js", "inShort", "plain", found, 2)
    assert text.startswith("2 steps after the pulse")
    assert words in text
    assert "NaN" not in text and "Infinity" not in text


def test_what_overflows_is_said(js):
    weights, inputs = numbers(figure().weights), numbers(figure().inputs)
    settings = {
        "steps": 30,
        "pulse": 5,
        "gain": 1e200,
        "forgetBias": 1,
        "updateBias": 0,
    }
    for network in NETWORKS:
        got = js("memory.js", "rememberedFrom", weights, inputs, settings, network)
        text = js("memory.js", "inShort", network, got, 5)
        assert "NaN" not in text and "Infinity" not in text and "undefined" not in text


def test_a_pulse_beyond_the_end_is_at_the_last_step(js):
    weights, inputs = numbers(figure().weights), numbers(figure().inputs)
    settings = {"steps": 5, "pulse": 90, "gain": 1, "forgetBias": 1, "updateBias": 0}
    got = js("memory.js", "rememberedFrom", weights, inputs, settings, "gru")
    assert [v > 0 for v in got["left"]] == [False] * 4 + [True]
    text = js("memory.js", "inShort", "gru", got, 5)
    assert text.startswith("The pulse comes at the last step")


def test_python_has_the_parameters_that_the_page_uses():
    explorer = MemoryExplorer(network="lstm", gain=0.5, forget_bias=3.0)
    own, plain = explorer.params(), fresh()["lstm"]
    np.testing.assert_allclose(own["w_h"], 0.5 * plain["w_h"], rtol=1e-6)
    assert own["b"][1].tolist() == [3.0] * WIDTH
    assert explorer.params("gru")["b"][1].tolist() == [0.0] * WIDTH
    other = MemoryExplorer(seed=1)
    assert other.weights != explorer.weights and other.inputs != explorer.inputs


@pytest.mark.parametrize(
    "settings",
    [
        {"network": "transformer"},
        {"steps": 4},
        {"steps": 101},
        {"pulse": 0},
        {"gain": 0.0},
        {"gain": float("nan")},
        {"forget_bias": 9.0},
        {"update_bias": -3.0},
        {"weights": b""},
    ],
)
def test_impossible_settings_are_refused(settings):
    explorer, [(name, value)] = figure(), settings.items()
    before = getattr(explorer, name)
    with pytest.raises(traitlets.TraitError):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before


def test_the_still_shows_three_networks_in_both_charts():
    left, right = figure().still().axes
    for axes in (left, right):
        names = [line.get_label() for line in axes.lines]
        assert names == ["plain network", "GRU", "LSTM"]
        assert axes.get_yscale() == "log"
    assert left.lines[0].get_xdata()[0] == figure().pulse
