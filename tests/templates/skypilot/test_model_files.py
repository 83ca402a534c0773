from __future__ import annotations

import functools
import shutil
import subprocess
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from templates.exporters import EXPORTERS
from templates.skypilot import model_files as module
from templates.skypilot.model_files import Mount, model_files
from tests.support.pictures import make_pictures
from tests.support.samples import sample_config
from tests.support.tiny import tiny_sd1_checkpoint

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def cached(place: Path, name: str, content: bytes) -> Path:
    """A file as the hub's library keeps it: a link to what is named by its sha256."""
    repository = place / "hub" / "models--maker--base-model"
    blob = repository / "blobs" / sha256(content).hexdigest()
    link = repository / "snapshots" / COMMIT / name
    for path in (blob, link):
        path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    link.symlink_to(blob)
    return link


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a server that stands for the hub."""
    root = tmp_path / "served"
    root.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(module, "HUB", f"http://127.0.0.1:{server.server_port}")
    yield root
    server.shutdown()
    server.server_close()


def test_what_comes_from_the_hub_is_fetched_by_address_and_hash(tmp_path: Path) -> None:
    link = cached(tmp_path, "folder/a model.safetensors", b"weights")
    found = model_files(sample_config(model={"path": str(link)}), tmp_path)

    (one,) = found.downloads
    assert one.address == f"https://huggingface.co/maker/base-model/resolve/{COMMIT}/folder/a%20model.safetensors"
    assert one.sha256 == sha256(b"weights").hexdigest()
    assert one.place == found.places["model.path"] == "models/base/a_model.safetensors"
    assert found.mounts == ()
    assert found.num_bytes == 0


def test_of_a_snapshot_each_file_is_fetched(tmp_path: Path) -> None:
    cached(tmp_path, "unet/model.safetensors", b"unet")
    index = cached(tmp_path, "model_index.json", b"{}")
    found = model_files(sample_config(model={"path": str(index.parent)}), tmp_path)

    places = {one.place: one.sha256 for one in found.downloads}
    assert places == {
        f"models/base/{COMMIT}/model_index.json": sha256(b"{}").hexdigest(),
        f"models/base/{COMMIT}/unet/model.safetensors": sha256(b"unet").hexdigest(),
    }


def test_a_folder_with_links_is_copied_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "vae").mkdir(parents=True)
    (tmp_path / "elsewhere" / "vae" / "config.json").write_text("{}")
    folder = tmp_path / "diffusers"
    folder.mkdir()
    (folder / "model_index.json").write_text("{}")
    plain = model_files(sample_config(model={"path": str(folder)}), tmp_path)
    (folder / "vae").symlink_to(tmp_path / "elsewhere" / "vae")
    linked = model_files(sample_config(model={"path": str(folder)}), tmp_path)

    assert plain.mounts == (Mount(folder, "models/base/diffusers"),)
    assert linked.mounts == (
        Mount(folder / "model_index.json", "models/base/diffusers/model_index.json"),
        Mount(folder / "vae" / "config.json", "models/base/diffusers/vae/config.json"),
    )
    assert linked.num_bytes == 4


def test_one_file_with_two_networks_is_copied_once(tmp_path: Path) -> None:
    model = tiny_sd1_checkpoint(tmp_path)
    config = sample_config(model={"path": str(model), "vae_path": str(model)})

    found = model_files(config, tmp_path)

    assert len(found.mounts) == 1
    assert found.places["model.vae_path"] == found.places["model.path"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the machine fetches with curl")
def test_the_machine_fetches_it_once_and_refuses_another_content(tmp_path: Path, hub: Path) -> None:
    make_pictures(tmp_path / "p", 2)
    content = tiny_sd1_checkpoint(tmp_path).read_bytes()
    link = cached(tmp_path, "it's $(touch ran).safetensors", content)
    served = hub / "maker" / "base-model" / "resolve" / COMMIT / link.name
    served.parent.mkdir(parents=True)
    served.write_bytes(content)
    config = sample_config(tmp_path / "p", model={"path": str(link)})
    export = EXPORTERS["skypilot"].write(config, run=tmp_path / "run", out=None)
    task = yaml.safe_load(export.paths[0].read_text("utf-8"))
    script = task["setup"].partition("PATH=")[0]
    machine = tmp_path / "machine"
    machine.mkdir()

    def fetch() -> int:
        return subprocess.run(["bash", "-c", script], cwd=machine, check=False, capture_output=True).returncode

    assert fetch() == 0
    (fetched,) = (machine / "models" / "base").iterdir()
    assert fetched.read_bytes() == content
    served.unlink()
    assert fetch() == 0  # it is there
    fetched.write_bytes(b"cut off")
    served.write_bytes(b"another")
    assert fetch() != 0
    assert fetched.read_bytes() == b"cut off"
    assert not list(tmp_path.rglob("ran"))
    assert "file_mounts" not in task
