"""Getting in: tokens and pairing (pms/gentu.md §1)."""

from __future__ import annotations

import time

import pytest
import requests

from .client import Client
from .process import RunningSandbox, running_sandbox


def test_a_token_answer_has_the_documented_members(gentu: Client) -> None:
    body = gentu.ask_token().json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 3599
    assert body["status"] == "approved"
    assert body["application_name"] == "runsheet-demo"
    assert "@example.com" in body["developer.email"]
    assert abs(int(body["issued_at"]) / 1000 - time.time()) < 60
    assert isinstance(body["issued_at"], str)


@pytest.mark.parametrize(("client_id", "secret"), [("somebody", "runsheet-demo-secret"), ("runsheet-demo-client", "x")])
def test_wrong_credentials_are_refused_with_a_gateway_fault(gentu: Client, client_id: str, secret: str) -> None:
    response = gentu.ask_token(client_id, secret)
    assert response.status_code == 401
    assert response.json()["fault"]["detail"]["errorcode"].startswith("oauth.v2.Invalid")


def test_a_token_needs_a_basic_header_and_the_right_grant(gentu: Client, http: requests.Session) -> None:
    bare = http.post(f"{gentu.base}/oauth2/token", data={"grant_type": "client_credentials"}, timeout=20)
    assert bare.status_code == 401
    assert gentu.ask_token(grant_type="password").status_code == 400


def test_without_a_token_everything_answers_401(gentu: Client, http: requests.Session) -> None:
    for path in ("/tenants", f"/tenants/{gentu.tenant}", f"/tenants/{gentu.tenant}/status", "/no/such/route"):
        response = http.get(gentu.base + path, timeout=20)
        assert response.status_code == 401, path
        assert response.json()["fault"]["detail"]["errorcode"] == "keymanagement.service.invalid_access_token"


def test_an_expired_token_answers_401_and_a_new_one_works(gentu: Client, sandbox: RunningSandbox) -> None:
    sandbox.control("knobs", token_ttl_s=0.15)
    gentu.sign()
    assert gentu.get("/tenants").status_code == 200
    time.sleep(0.2)
    response = gentu.get("/tenants")
    assert response.status_code == 401
    assert response.json()["fault"]["detail"]["errorcode"] == "keymanagement.service.access_token_expired"
    sandbox.control("knobs", token_ttl_s=60)
    gentu.sign()
    assert gentu.get("/tenants").status_code == 200


def test_all_tokens_can_be_ended_at_once(gentu: Client, sandbox: RunningSandbox) -> None:
    gentu.sign()
    assert sandbox.control("tokens/expire")["expired"] >= 1
    assert gentu.get("/tenants").status_code == 401


def test_a_second_token_leaves_the_first_good(gentu: Client) -> None:
    first = gentu.sign()
    assert gentu.sign() != first
    gentu.token = first
    assert gentu.get("/tenants").status_code == 200


def test_the_errorcode_can_lie_directly_under_fault(gentu: Client, sandbox: RunningSandbox) -> None:
    sandbox.control("knobs", fault_shape="flat")
    gentu.token = "nonsense"
    assert gentu.get("/tenants").json()["fault"]["errorcode"] == "keymanagement.service.invalid_access_token"


def test_a_pairing_code_works_once_and_opens_its_practice(http: requests.Session) -> None:
    with running_sandbox("empty", tenants=2) as sandbox:
        gentu = Client(sandbox, http)
        assert gentu.get("/tenants").json() == []
        assert gentu.get("T").status_code == 403
        code = sandbox.pairing_code()
        assert len(code) == 8
        paired = gentu.pair(code)
        assert paired.status_code == 200
        assert paired.json().keys() == {"message", "tenantId"}
        assert paired.json()["tenantId"] == gentu.tenant
        again = gentu.pair(code)
        assert (again.status_code, list(again.json())) == (404, ["message"])
        assert gentu.get("/tenants").json() == [{"tenantId": gentu.tenant, "tenantAccess": "enabled"}]
        assert gentu.get("T").json()["tenantName"] == "Smith Medical Centre"


def test_each_practice_has_its_own_codes(gentu: Client, sandbox: RunningSandbox) -> None:
    second = sandbox.state()["tenants"][1]["tenantId"]
    assert gentu.pair(sandbox.pairing_code(second)).json()["tenantId"] == second
    assert second != gentu.tenant


@pytest.mark.parametrize(("code", "status"), [("SHORT", 400), ("NINECHARS", 400), ("ABCD2345", 404)])
def test_a_code_nobody_made_is_refused(gentu: Client, code: str, status: int) -> None:
    assert gentu.pair(code).status_code == status


def test_codes_that_expired_are_refused_like_unknown_ones_and_a_new_one_works(
    gentu: Client, sandbox: RunningSandbox
) -> None:
    code = sandbox.pairing_code()
    sandbox.control("pairing-codes/expire")
    assert gentu.pair(code).status_code == 404
    assert gentu.pair(sandbox.pairing_code()).status_code == 200


def test_another_app_cannot_use_the_code(gentu: Client, sandbox: RunningSandbox) -> None:
    code = sandbox.pairing_code()
    assert gentu.pair(code, app_id="another-app").status_code == 403
    assert gentu.pair(code).status_code == 200


def test_a_disabled_practice_is_listed_and_closed(gentu: Client, sandbox: RunningSandbox) -> None:
    sandbox.control(f"tenants/{gentu.tenant}", access="disabled")
    assert {"tenantId": gentu.tenant, "tenantAccess": "disabled"} in gentu.get("/tenants").json()
    for path in ("T", "T/status", "T/practitioners", "T/appointments/nobody"):
        assert gentu.get(path).status_code == 403, path
    sandbox.control(f"tenants/{gentu.tenant}", access="enabled")
    assert gentu.get("T").status_code == 200


def test_an_unknown_tenant_looks_like_a_closed_one(gentu: Client) -> None:
    assert gentu.get("/tenants/00000000-0000-4000-8000-000000000000").status_code == 403
