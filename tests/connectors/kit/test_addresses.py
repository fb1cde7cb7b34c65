import ipaddress
import socket

import pytest

from connectors.kit.addresses import Address, AddressRefusedError, NameNotFoundError, is_allowed

INTERNAL = """127.0.0.1 127.8.8.8 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 ::1 fd00::1
::ffff:10.0.0.1 ::ffff:127.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: 64:ff9b::c0a8:101 ::127.0.0.1"""
NEVER = """169.254.169.254 169.254.1.1 0.0.0.0 224.0.0.1 239.255.255.255 255.255.255.255 240.0.0.1 :: fe80::1
ff02::1 fd00:ec2::254 100.100.100.200 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::"""
PUBLIC = "8.8.8.8 1.1.1.1 2606:4700::1111 ::ffff:8.8.8.8"


def allowed(text, *, private):
    return is_allowed(ipaddress.ip_address(text), allow_private=private)


@pytest.mark.parametrize("text", INTERNAL.split())
def test_an_internal_address_needs_the_profiles_permission(text):
    assert not allowed(text, private=False)
    assert allowed(text, private=True)


@pytest.mark.parametrize("text", NEVER.split())
def test_some_addresses_are_open_to_nobody(text):
    assert not allowed(text, private=False)
    assert not allowed(text, private=True)


@pytest.mark.parametrize("text", PUBLIC.split())
def test_a_public_address_is_open(text):
    assert allowed(text, private=False)


def resolving(monkeypatch, *answers):
    calls = []

    def fake(host, port, **_options):
        calls.append(host)
        found = answers[min(len(calls), len(answers)) - 1]
        if isinstance(found, Exception):
            raise found
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port)) for text in found]

    monkeypatch.setattr(socket, "getaddrinfo", fake)
    return calls


def test_a_name_is_resolved_once(monkeypatch):
    calls = resolving(monkeypatch, ["8.8.8.8"])
    address = Address("koha.example.org", 443, allow_private=False)
    assert [address.pins()[0].sockaddr for _ in range(3)] == [("8.8.8.8", 443)] * 3
    assert calls == ["koha.example.org"]


def test_a_name_with_one_internal_address_among_public_ones_is_refused(monkeypatch):
    resolving(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(AddressRefusedError):
        Address("koha.example.org", 443, allow_private=False).pins()


def test_a_name_that_turns_internal_after_a_failure_is_refused(monkeypatch):
    resolving(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    address = Address("koha.example.org", 443, allow_private=False)
    address.pins()
    address.forget()
    with pytest.raises(AddressRefusedError):
        address.pins()


def test_a_sick_resolver_takes_no_known_address_away(monkeypatch):
    resolving(monkeypatch, ["8.8.8.8"], socket.gaierror())
    address = Address("koha.example.org", 443, allow_private=False)
    pins = address.pins()
    address._pinned_at -= 3600
    assert address.pins() == pins


def test_a_name_without_an_address_says_so(monkeypatch):
    resolving(monkeypatch, socket.gaierror())
    with pytest.raises(NameNotFoundError):
        Address("absent.example.org", 443, allow_private=False).pins()


@pytest.mark.parametrize(
    "host", ["0x7f000001", "2130706433", "127.1", "017700000001", "[::1]", "localhost."]
)
@pytest.mark.enable_socket
def test_unusual_notations_of_the_loopback_are_refused(host):
    with pytest.raises((AddressRefusedError, NameNotFoundError)):
        Address(host, 80, allow_private=False).pins()
