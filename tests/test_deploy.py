"""The files in deploy/: no root, read-only root file systems, pinned images.

And its files are well-formed. What was started for real, docs/deployment.md says.
"""

import ast
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.documents import ROOT, read
from tests.test_configuration import VARIABLES

DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMMON = DEPLOY / "systemd" / "milvus-admin-.service.d" / "common.conf"
OURS = ("web", "migrate", "work")
BASES = {"WEB_CONCURRENCY", "GUNICORN_CMD_ARGS"}  # gunicorn's own


def documented() -> set[str]:
    names = set(VARIABLES)
    return names | {f"{name}_FILE" for name in names} | BASES


def objects() -> Iterator[dict[str, Any]]:
    for path in MANIFESTS:
        yield from yaml.safe_load_all(path.read_text())


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [made for made in objects() if made["kind"] in kinds]


def pods() -> list[dict[str, Any]]:
    return [made["spec"]["template"]["spec"] for made in of_kind("Deployment", "Job")]


def containers() -> list[dict[str, Any]]:
    return [c for pod in pods() for c in (*pod.get("initContainers", ()), *pod["containers"])]


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(read("deploy/compose.yaml"))
    return found


# --- names of variables ---------------------------------------------------------------------------


def test_variables_set_in_deploy_exist() -> None:
    units = re.findall(r"(?:^Environment=| )([A-Z_]+)=", COMMON.read_text(), re.M)
    example = re.findall(r"^([A-Z_]+)=", read("deploy/environment.example"), re.M)
    environments = [compose()["services"][name].get("environment", {}) for name in OURS]
    (config,) = [m for m in of_kind("ConfigMap") if "environment" in m["metadata"]["name"]]
    used = {*units, *example, *config["data"], *(name for each in environments for name in each)}
    assert len(used) > 12
    assert used - documented() == set()


def test_secrets_in_deploy_are_files() -> None:
    secret = {name.removesuffix("_FILE") for name in documented() if name.endswith("_FILE")}
    secret &= {"SECRET_KEY", "AUDIT_KEY", "DATABASE_URL", "MILVUS_TOKEN", "OIDC_CLIENT_SECRET"}
    assert len(secret) == 5
    texts = [COMMON, DEPLOY / "environment.example", DEPLOY / "compose.yaml", *MANIFESTS]
    for path in texts:
        given = re.findall(r"\b([A-Z_]+)(?:=|: )", path.read_text())
        assert not secret & set(given), path


# --- the image and compose ------------------------------------------------------------------------


def instructions() -> list[str]:
    text = re.sub(r"^#.*\n", "", read("deploy/Containerfile"), flags=re.M)
    return re.split(r"\n(?=[A-Z]+ )", re.sub(r"\\\n\s*", "", text).strip())


def test_image_runs_unprivileged_with_a_health_check() -> None:
    final = instructions()[-8:]
    assert "USER 10001:10001" in final
    assert any(line.startswith("HEALTHCHECK") and "/healthz" in line for line in final)
    assert final[-1] == 'CMD ["gunicorn", "-c", "deploy/gunicorn.conf.py"]'


REFERENCE = re.compile(r"\$\{([A-Z]+_IMAGE):-(.+)\}")  # what `make digests` can replace
OWN = "milvus-admin:"


def defaults() -> dict[str, str]:
    """The images of compose.yaml by variable: the base, and those that are pulled."""
    services = compose()["services"].values()
    named = [service["image"] for service in services if not service["image"].startswith(OWN)]
    named.append(compose()["services"]["web"]["build"]["args"]["BASE"])
    found = [REFERENCE.fullmatch(image) for image in named]
    assert all(found), named
    return {match[1]: match[2] for match in found if match}


def test_images_have_a_release_tag_and_a_digest_variable() -> None:
    assert set(defaults()) == {"BASE_IMAGE", "POSTGRES_IMAGE", "MILVUS_IMAGE"}
    used = [*defaults().values(), *(c["image"] for c in containers())]
    assert len(used) > 6
    assert [image for image in used if not re.search(r":v?\d+\.\d+[\w.-]*$", image)] == []


def test_image_stages_begin_with_the_documented_argument() -> None:
    lines = instructions()
    assert lines[0] == f"ARG BASE={defaults()['BASE_IMAGE']}"
    stages = [line for line in lines if line.startswith("FROM ")]
    assert stages == ["FROM ${BASE} AS build", "FROM ${BASE}"]


@pytest.mark.parametrize(
    ("base", "required", "code", "said"),
    [
        ("debian:12.12-slim", "0", 0, "has no digest. Run: make digests"),
        ("debian:12.12-slim", "1", 1, "has no digest. Run: make digests"),
        (f"debian:12.12-slim@sha256:{'0' * 64}", "1", 0, ""),
    ],
)
def test_build_base_without_a_digest_is_announced_or_refused(
    base: str, required: str, code: int, said: str, tmp_path: Path
) -> None:
    """Runs the step itself in a shell: there is no container engine here."""
    (step,) = [line for line in instructions() if "base-image" in line and "case" in line]
    script = step.removeprefix("RUN ").replace("/opt/milvus-admin", str(tmp_path))
    environment = {"PATH": os.environ["PATH"], "BASE": base, "REQUIRE_DIGEST": required}
    done = subprocess.run(
        ["/bin/sh", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert said in done.stderr
    assert bool(done.stderr) == bool(said)
    assert (tmp_path / "base-image").read_text().strip() == base


def digests(folder: Path, answer: str) -> subprocess.CompletedProcess[str]:
    """`make digests` in a copy of deploy/, with a registry that answers that."""
    skopeo = folder / "skopeo"
    skopeo.write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\n{answer}\n')
    skopeo.chmod(0o755)
    for name in ("compose.yaml", "digests.sh"):
        shutil.copy(DEPLOY / name, folder / name)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
    command = [str(folder / "digests.sh")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_digests_of_all_images_are_written_and_other_lines_kept(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REQUIRE_DIGEST=1\nBASE_IMAGE=old\n")
    done = digests(tmp_path, f"echo sha256:{'a' * 64}")
    assert (done.returncode, done.stderr) == (0, "")
    lines = set((tmp_path / ".env").read_text().splitlines())
    images = {f"{name}={image}@sha256:{'a' * 64}" for name, image in defaults().items()}
    assert lines == {"REQUIRE_DIGEST=1", *images}
    asked = (tmp_path / "asked").read_text()
    assert all(f"docker://{image}\n" in asked for image in defaults().values())


@pytest.mark.parametrize("answer", ["exit 1", "echo latest"])
def test_digests_registry_without_an_answer_changes_nothing(answer: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BASE_IMAGE=old\n")
    done = digests(tmp_path, answer)
    assert done.returncode == 1
    assert ".env was not changed" in done.stderr
    assert (tmp_path / ".env").read_text() == "BASE_IMAGE=old\n"
    assert {path.name for path in tmp_path.glob(".env*")} == {".env"}


def test_image_copies_exactly_what_is_not_ignored() -> None:
    copied = {line.split()[1] for line in instructions() if re.match(r"COPY (?!--)", line)}
    kept = set(re.findall(r"^!(.+)$", read(".dockerignore"), re.M))
    assert copied == kept
    assert all((ROOT / path).exists() for path in copied)


LITE = {"milvus-lite", "faiss-cpu", "pyarrow"}


def test_production_installs_the_same_releases_by_digest() -> None:
    """Except Milvus Lite. `make hashes` changes both files together."""
    pins = re.findall(r"^([\w-]+)(?:\[\w+\])?==(\S+)", read("requirements.txt"), re.M)
    expected = {(name.lower().replace("_", "-"), version) for name, version in pins}
    blocks = re.split(r"\n(?=\w)", read("deploy/requirements.txt"))
    found = {(m[1], m[2]) for one in blocks if (m := re.match(r"([\w-]+)(?:\[\w+\])?==(\S+)", one))}
    assert {pin for pin in expected if pin[0] not in LITE} == found
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", one) for one in blocks if "==" in one)
    assert "://" not in read("deploy/requirements.txt")


@pytest.mark.parametrize("text", ["deploy/Containerfile", "docs/deployment.md"])
def test_production_is_installed_with_require_hashes(text: str) -> None:
    steps = [line for line in read(text).splitlines() if "pip install" in line]
    assert steps
    assert all("--require-hashes --no-deps -r deploy/requirements.txt" in step for step in steps)


@pytest.mark.parametrize("name", ["database", "milvus"])
def test_compose_drops_all_capabilities(name: str) -> None:
    service = compose()["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service.get("read_only") is (True if name == "database" else None)


@pytest.mark.parametrize("name", OURS)
def test_compose_services_are_unprivileged(name: str) -> None:
    service = compose()["services"][name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert [port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")] == []


def test_compose_defines_all_that_it_refers_to() -> None:
    whole = compose()
    for service in whole["services"].values():
        assert set(service.get("secrets", ())) <= set(whole["secrets"])
        assert set(service.get("depends_on", ())) <= set(whole["services"])
    (network,) = whole["networks"]["default"]["ipam"]["config"]
    assert whole["services"]["web"]["environment"]["TRUST_PROXY"] == network["gateway"]


# --- Kubernetes -----------------------------------------------------------------------------------


def test_manifests_are_valid_kubernetes() -> None:
    checked = [m for m in objects() if m["kind"] != "Kustomization"]
    assert len(checked) > 10
    for made in checked:
        kubernetes_validate.validate(made, "1.37", strict=True)


def test_kustomization_names_every_file_but_the_secret() -> None:
    (listed,) = [m["resources"] for m in of_kind("Kustomization")]
    others = {"kustomization.yaml", "secret.example.yaml"}
    assert set(listed) == {path.name for path in MANIFESTS} - others


def test_pods_are_unprivileged() -> None:
    assert len(pods()) == 3
    for pod in pods():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers():
        assert container["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_web_deployment_has_probes_and_a_disruption_budget() -> None:
    (web,) = [m for m in of_kind("Deployment") if m["metadata"]["name"] == "milvus-admin-web"]
    (container,) = web["spec"]["template"]["spec"]["containers"]
    probes = {name: container[name]["httpGet"]["path"] for name in container if "Probe" in name}
    assert probes == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    assert web["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert [budget["spec"]["minAvailable"] for budget in of_kind("PodDisruptionBudget")] == [1]


def test_labels_select_the_pods() -> None:
    labels = [made["spec"]["template"]["metadata"]["labels"] for made in of_kind("Deployment")]
    (service,) = of_kind("Service")
    assert sum(service["spec"]["selector"].items() <= each.items() for each in labels) == 1
    (policy,) = of_kind("NetworkPolicy")
    wanted = policy["spec"]["podSelector"]["matchLabels"]
    assert all(wanted.items() <= each.items() for each in labels)
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_secret_holds_every_secret_file() -> None:
    (secret,) = of_kind("Secret")
    text = read("deploy/kubernetes/config.yaml")
    assert set(re.findall(r"/run/secrets/milvus-admin/([\w-]+)", text)) == set(secret["stringData"])


# --- systemd --------------------------------------------------------------------------------------


def unit(path: Path) -> dict[str, list[str]]:
    """The settings of [Service], each with all of its values."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", path.read_text(), re.M):
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_units_only_add_to_the_common_settings(path: Path) -> None:
    assert path.name.startswith("milvus-admin-")
    (command,) = unit(path)["ExecStart"]
    assert command.startswith("/opt/milvus-admin/.venv/bin/")
    assert not {"User", "ProtectSystem", "CapabilityBoundingSet"} & set(unit(path))


def test_units_are_unprivileged() -> None:
    common = unit(COMMON)
    assert common["User"] == ["milvus-admin"]
    assert common["ProtectSystem"] == ["strict"]
    assert common["CapabilityBoundingSet"] == [""]
    assert common["NoNewPrivileges"] == ["yes"]
    loaded = {line.partition(":")[0] for line in common["LoadCredential"]}
    used = set(re.findall(r"^Environment=.*$", COMMON.read_text(), re.M))
    assert loaded == {name for line in used for name in re.findall(r"%d/([\w-]+)", line)}


# --- what they run --------------------------------------------------------------------------------


def test_commands_in_deploy_exist() -> None:
    texts = [*UNITS, DEPLOY / "compose.yaml", *MANIFESTS]
    named = [re.findall(r"manage\.py[, ]+(\w+)", path.read_text()) for path in texts]
    ours = {path.stem for path in ROOT.glob("collections_app/management/commands/*.py")}
    used = {name for names in named for name in names}
    assert used == {
        "migrate",
        "work",
    }
    assert used - {"migrate"} <= ours


def test_gunicorn_creates_clients_after_fork_trusting_no_header() -> None:
    tree = ast.parse(read("deploy/gunicorn.conf.py"))
    assigned: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and isinstance(node.value, ast.Constant | ast.Dict):
                assigned[target.id] = ast.literal_eval(node.value)
    assert assigned["preload_app"] is False
    assert assigned["worker_class"] == "gthread"
    assert (assigned["forwarder_headers"], assigned["secure_scheme_headers"]) == ("", {})
