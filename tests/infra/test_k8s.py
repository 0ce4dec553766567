"""infra/k8s/ is valid and matches the image and the service. Not tested on a cluster."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml
from typer.main import get_command

from needs import skip_or_fail
from pigwav.cli.app import build_app
from pigwav.settings import Settings, effective

ROOT: Final = Path(__file__).parents[2]
K8S: Final = ROOT / "infra" / "k8s"
VERSIONS: Final = ("1.30", "1.37")
KUSTOMIZATION: Final = yaml.safe_load((K8S / "kustomization.yaml").read_text())
MANIFESTS: Final = {name: yaml.safe_load((K8S / name).read_text()) for name in KUSTOMIZATION["resources"]}
CONFIG: Final = dict(
    literal.split("=", 1) for map_ in KUSTOMIZATION["configMapGenerator"] for literal in map_["literals"]
)


def pods() -> Iterator[dict[str, Any]]:
    for manifest in MANIFESTS.values():
        if "template" in manifest["spec"]:
            yield manifest["spec"]["template"]["spec"]


def containers() -> list[dict[str, Any]]:
    return [container for pod in pods() for container in pod["containers"]]


def test_every_manifest_is_applied() -> None:
    assert sorted(MANIFESTS) == sorted(f.name for f in K8S.glob("*.yaml") if f.name != "kustomization.yaml")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_fits_the_schema_and_has_no_field_that_kubernetes_does_not_know(
    name: str, version: str
) -> None:
    kubernetes_validate.validate(MANIFESTS[name], version, strict=True)


def test_a_field_that_kubernetes_does_not_know_would_be_found() -> None:
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(MANIFESTS["service.yaml"] | {"spce": {}}, VERSIONS[-1], strict=True)


def test_kustomize_renders_all_of_it() -> None:
    program = shutil.which("kubectl") or skip_or_fail("kubectl", "kubectl is not installed")
    rendered = subprocess.run([program, "kustomize", str(K8S)], capture_output=True, text=True, check=False)
    assert rendered.returncode == 0, rendered.stderr
    documents = [*yaml.safe_load_all(rendered.stdout)]

    for document in documents:
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)
    images = set(re.findall(r"image: (\S+)", rendered.stdout))
    assert sorted(document["kind"] for document in documents) == [
        "ConfigMap",
        "Deployment",
        "Job",
        "Job",
        "Service",
    ]
    assert images == {"registry.example.org/pigwav:0.1.0"}


def test_every_setting_is_one_that_the_service_has_and_none_is_a_secret() -> None:
    known = {name for one in effective(Settings()) for name in one.variables}

    assert set(CONFIG) <= known
    assert not [name for name in CONFIG if re.search("SECRET|ACCESS_KEY|DATABASE_URL|PASSWORD", name)]
    named = re.findall(
        r"# (PIGWAV_[A-Z0-9_, ]+)$", "\n".join(f.read_text() for f in K8S.glob("*.yaml")), re.MULTILINE
    )
    assert {name for names in named for name in names.split(", ")} <= known


def seeing(secret: str) -> list[str]:
    """The names of the containers that have this secret."""
    return [
        container["name"]
        for container in containers()
        for source in container["envFrom"]
        if source.get("secretRef", {}).get("name") == secret
    ]


def test_only_provision_sees_the_root_key() -> None:
    assert seeing("pigwav-store-root") == ["provision"]


def test_only_migrate_sees_the_url_of_the_schemas_owner() -> None:
    assert seeing("pigwav-database-owner") == ["migrate"]
    assert sorted(seeing("pigwav-database")) == ["migrate", "pigwav"]


def test_containers_run_commands_that_exist_as_the_images_user_and_with_no_rights() -> None:
    commands = get_command(build_app()).commands  # type: ignore[attr-defined] # it is a group
    [user] = re.findall(r"^USER (\d+):", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == int(user)
    for container in containers():
        assert container["args"][0] in commands
        rights = container["securityContext"]
        assert (rights["readOnlyRootFilesystem"], rights["allowPrivilegeEscalation"]) == (True, False)
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_a_pod_that_stops_has_time_for_its_open_uploads() -> None:
    pod = MANIFESTS["deployment.yaml"]["spec"]["template"]["spec"]
    pause_s = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert pod["terminationGracePeriodSeconds"] >= pause_s + float(CONFIG["PIGWAV_GRACE_S"]) + 10


def test_metrics_and_probes_use_the_operator_port_which_nobody_else_reaches() -> None:
    deployment, service = MANIFESTS["deployment.yaml"], MANIFESTS["service.yaml"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    port = int(CONFIG["PIGWAV_OPERATOR_BIND"].rpartition(":")[2])

    assert {"name": "operator", "containerPort": port} in container["ports"]
    assert deployment["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(port)
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "operator"
    assert [each["targetPort"] for each in service["spec"]["ports"]] == ["http"]


def test_probes_ask_what_the_service_answers() -> None:
    container = MANIFESTS["deployment.yaml"]["spec"]["template"]["spec"]["containers"][0]

    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert (
        container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    )  # an unavailable store must not kill a pod
