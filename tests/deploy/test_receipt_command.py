"""``hanoiic receipt verify``: a good receipt, and every way one is not good."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import jwt
import pytest
from ckanext.hanoiic.licensing import receipt_command, signing

from deploy import cli
from tests.servers import free_port

ANSWER = "mã,tên\n1,Hồ Gươm\n".encode()
TOLD = {
    "iss": "https://gateway.example.vn",
    "iat": 1767225600,
    "jti": "r-1",
    "sub": "khoi-nghiep",
    "query_sha256": "0" * 64,
    "tables": [
        {
            "name": "bus_stops",
            "version": 3,
            "content_hash": "1" * 64,
            "edition": "e" + "2" * 32,
            "agreement": "a-1",
            "licence": {"id": "restricted-research", "version": 1, "hash": "3" * 64},
        }
    ],
    "result": {
        "sha256": hashlib.sha256(ANSWER).hexdigest(),
        "bytes": len(ANSWER),
        "rows": 1,
        "media_type": "text/csv",
    },
}


@pytest.fixture
def key():
    return signing.PrivateKey.generate()


@pytest.fixture
def verify(tmp_path: Path, key, capsys):
    """Check a receipt with the key's JWK set as a file; answers exit code and what is said."""
    keys = tmp_path / "keys.json"
    jwk = signing.jwk_of(key.public_key()) | {"kid": "k1"}
    keys.write_text(json.dumps({"keys": [{"kty": "RSA", "kid": "old"}, jwk]}))

    def run(text: str, *more: str) -> tuple[int, str]:
        file = tmp_path / "receipt.jws"
        file.write_text(text + "\n")
        code = receipt_command.main([str(file), "--keys", str(keys), *more])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def signed(key, told=TOLD, key_id="k1") -> str:
    return jwt.encode(told, key, algorithm="EdDSA", headers={"kid": key_id})


def test_a_good_receipt_says_what_the_answer_was_made_of(verify, key, tmp_path):
    code, said = verify(signed(key))
    assert code == 0
    for word in ("khoi-nghiep", "bus_stops version 3", "restricted-research version 1", "a-1"):
        assert word in said
    assert "--result FILE does" in said
    answer = tmp_path / "answer.csv"
    answer.write_bytes(ANSWER)
    assert "are those it was signed for" in verify(signed(key), "--result", str(answer))[1]
    told = json.loads(verify(signed(key), "--json")[1])
    assert (told["fault"], told["told"]["jti"]) == (None, "r-1")


def test_a_receipt_that_is_not_good_is_told_why(verify, key, tmp_path):
    head, body, signature = signed(key).split(".")
    other = signed(key, TOLD | {"sub": "ai-khac"}).split(".")[1]
    unsigned = jwt.encode(TOLD, None, algorithm="none", headers={"kid": "k1"})
    with_hmac = jwt.encode(TOLD, "x" * 32, algorithm="HS256", headers={"kid": "k1"})
    for text, said in (
        ("hello", "no receipt"),
        ("", "no receipt"),
        (f"{head}.{other}.{signature}", "it was altered"),
        (f"{head}.{body}.", "it was altered"),
        (unsigned, "it was altered"),
        (with_hmac, "it was altered"),
        (signed(signing.PrivateKey.generate()), "it was altered"),
        (signed(key, key_id="k2"), "not among the gateway's keys"),
        (signed(key, key_id="old"), "not among the gateway's keys"),
        (signed(key, {"iss": "x"}), "no receipt"),
    ):
        code, told = verify(text)
        assert (code, said in told) == (1, True), (text, told)
    answer = tmp_path / "answer.csv"
    answer.write_bytes(ANSWER + b"\n")
    code, told = verify(signed(key), "--result", str(answer))
    assert (code, "bytes are not those" in told) == (1, True)


def test_what_cannot_be_checked_is_neither_good_nor_bad(verify, key, tmp_path):
    assert verify(signed(key), "--result", str(tmp_path / "nowhere"))[0] == 2
    assert verify(signed(key), "--keys", str(tmp_path / "nowhere"))[0] == 2
    assert verify(signed(key), "--keys", "http://127.0.0.1:1/keys")[0] == 2


def test_the_launchers_key_and_its_command_fit(tmp_path, monkeypatch, capfd):
    from deploy.home import Home

    home = Home(tmp_path)
    home.secrets.mkdir()
    file = home.signing_key("receipt_signing.key")
    assert file.stat().st_mode & 0o777 == 0o600
    assert home.signing_key("receipt_signing.key").read_bytes() == file.read_bytes()
    key, receipt = signing.private_key(file), tmp_path / "r.jws"
    receipt.write_text(signed(key, key_id=signing.key_id(key.public_key())))
    public = str(file.with_suffix(".pub"))
    assert cli.main(["receipt", "verify", str(receipt), "--keys", public]) == 0
    assert "Good: signed by" in capfd.readouterr().out


def test_the_keys_come_from_the_running_portals_gateway(
    key, tmp_path, httpserver, monkeypatch, capfd
):
    jwk = signing.jwk_of(key.public_key()) | {"kid": "k1"}
    httpserver.expect_request("/v1/receipts/keys").respond_with_json({"keys": [jwk]})
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc/addresses.json"
    file.write_text(json.dumps({"gateway_url": httpserver.url_for("")}))
    receipt = tmp_path / "receipt.jws"
    receipt.write_text(signed(key))
    monkeypatch.setenv("HANOIIC_HOME", str(tmp_path))
    assert cli.main(["receipt", "verify", str(receipt)]) == 0
    assert "Good: signed by https://gateway.example.vn" in capfd.readouterr().out


def test_a_gateway_that_does_not_answer_is_named(key, tmp_path, monkeypatch, capfd):
    receipt = tmp_path / "receipt.jws"
    receipt.write_text(signed(key))
    monkeypatch.setenv("HANOIIC_HOME", str(tmp_path))
    monkeypatch.setenv("HANOIIC_GATEWAY_URL", f"http://127.0.0.1:{free_port()}")
    assert cli.main(["receipt", "verify", str(receipt)]) == 2
    said = capfd.readouterr().err
    assert "/v1/receipts/keys does not answer" in said
    assert "Pool" not in said
