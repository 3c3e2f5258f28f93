"""The demo's pure parts; together and with a real model server they run in tests/integration/test_demo.py."""

import pytest
from optiinfra_services.demo import dcgm, vllm
from optiinfra_services.settings import load
from prometheus_client.parser import text_string_to_metric_families

PAGE = 'vllm:e2e_request_latency_seconds_sum{{engine="0",model_name="m"}} {0}\n'


def test_vllms_flags_are_read():
    given = vllm.arguments(["--model=a/b", "--dtype=auto", "--max-model-len=4096", "--gpu-memory-utilization=0.90"])
    assert (given.model, given.max_model_len, given.port) == ("a/b", 4096, 8000)


@pytest.mark.parametrize("flags", [["--max-model-len=many"], ["--modell=x"]])
def test_a_flag_that_is_none_ends_it(flags, capsys):
    with pytest.raises(SystemExit) as ended:
        vllm.arguments(flags)
    assert ended.value.code == 2
    assert flags[0].split("=")[0] in capsys.readouterr().err


@pytest.mark.parametrize(("share", "up"), [(0.0, True), (0.5, True), (1.0, True), (0.0, False)])
def test_a_gpus_fields_are_plausible(share, up):
    fields = dcgm.values(share, up, 0.9)
    assert set(fields) == set(dcgm.FIELDS)
    assert fields["DCGM_FI_DEV_GPU_UTIL"] == 100 * share
    assert fields["DCGM_FI_DEV_FB_USED"] + fields["DCGM_FI_DEV_FB_FREE"] == dcgm.TOTAL_MIB
    assert (fields["DCGM_FI_DEV_FB_USED"] > 20_000) == up


def test_utilisation_follows_the_seconds_in_which_requests_ran(monkeypatch):
    simulator = dcgm.Simulator(load(dcgm.Settings))

    def util():
        families = text_string_to_metric_families(simulator.page())
        return next(s.value for family in families for s in family.samples if s.name == "DCGM_FI_DEV_GPU_UTIL")

    for second in range(1, 8):
        simulator.look(PAGE.format(float(second)), float(second))
    assert util() > 95
    for second in range(8, 16):
        simulator.look(PAGE.format(7.0), float(second))
    assert util() < 2
    # A model server that began anew counts from nothing, and one that is away runs nothing.
    simulator.look(PAGE.format(0.0), 16.0)
    assert util() >= 0
    simulator.look(None, 17.0)
    assert util() == 0


def test_each_gpu_has_its_own_rows(monkeypatch):
    monkeypatch.setenv("SIMULATED_GPUS", "2")
    page = dcgm.Simulator(load(dcgm.Settings)).page()
    assert page.startswith("# Simulated")
    assert page.count("DCGM_FI_DEV_GPU_UTIL{") == 2
    assert 'gpu="1",UUID="GPU-00000000-0000-0000-0000-000000000001"' in page
