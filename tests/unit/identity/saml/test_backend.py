"""The verifier alone: what counts as a signature, whatever the library round it would say."""

import pytest
import xmlsec
from lxml import etree
from saml2.sigver import SignatureError

from identity.saml.backend import InProcessBackend
from mock_partners.keycloak.keys import new_pair

PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
NAME = f"{PROTOCOL}:Response"
T = xmlsec.constants


@pytest.fixture(scope="module")
def pair():
    return new_pair()


@pytest.fixture(scope="module")
def backend(pair):
    return InProcessBackend(pair.pem)


def pem(pair):
    return (
        b"-----BEGIN CERTIFICATE-----\n"
        + pair.certificate_text.encode()
        + b"\n-----END CERTIFICATE-----\n"
    )


def document(*, method=T.TransformRsaSha256, digest=T.TransformSha256, c14n=T.TransformExclC14N):
    root = etree.fromstring(
        f'<p:Response xmlns:p="{PROTOCOL}" ID="one"><p:Extensions ID="two">x</p:Extensions></p:Response>'
    )
    template = xmlsec.template.create(root, c14n, method, ns="ds")
    reference = xmlsec.template.add_reference(template, digest, uri="#one")
    xmlsec.template.add_transform(reference, T.TransformEnveloped)
    xmlsec.template.add_transform(reference, T.TransformExclC14N)
    root.insert(0, template)
    return root


def signed(root, pair, *, target="one"):
    reference = root.find(".//{*}Reference")
    reference.set("URI", f"#{target}")
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(pair.pem, T.KeyDataFormatPem)
    for element in root.iter(etree.Element):
        if element.get("ID"):
            context.register_id(element, "ID")
    context.sign(root.find(".//{*}Signature"))
    return etree.tostring(root)


def verify(backend, text, pair, *, name=NAME, node="one"):
    return backend.validate_signature(text, pem(pair), "pem", name, node)


def is_refused(backend, text, pair, **about):
    with pytest.raises(SignatureError):
        verify(backend, text, pair, **about)


def test_what_we_sign_we_verify(backend, pair):
    text = backend.sign_statement(etree.tostring(document(), encoding="unicode"), NAME, "", "one")
    assert verify(backend, text, pair) is True


@pytest.mark.parametrize("method", [T.TransformRsaSha256, T.TransformRsaSha512])
@pytest.mark.parametrize("digest", [T.TransformSha256, T.TransformSha512])
def test_sha256_and_sha512_count(backend, pair, method, digest):
    assert verify(backend, signed(document(method=method, digest=digest), pair), pair) is True


@pytest.mark.parametrize(
    "how",
    [
        {"method": T.TransformRsaSha1},
        {"digest": T.TransformSha1},
        {"method": T.TransformRsaSha384},
        {"digest": T.TransformSha384},
        {"c14n": T.TransformInclC14N},
    ],
    ids=["rsa-sha1", "sha1", "rsa-sha384", "sha384", "inclusive"],
)
def test_other_algorithms_do_not(backend, pair, how):
    is_refused(backend, signed(document(**how), pair), pair)


def test_another_key_does_not_verify(backend, pair):
    is_refused(backend, signed(document(), new_pair()), pair)


def test_what_is_no_certificate_is_no_key(backend, pair):
    with pytest.raises(SignatureError):
        backend.validate_signature(signed(document(), pair), b"nothing", "pem", NAME, "one")


def test_another_element_or_another_name_is_not_what_was_signed(backend, pair):
    text = signed(document(), pair)
    is_refused(backend, text, pair, node="two")
    is_refused(backend, text, pair, node="nowhere")
    is_refused(backend, text, pair, name=f"{PROTOCOL}:LogoutRequest")
    is_refused(backend, text, pair, name="urn:elsewhere:Response")


def test_a_signature_about_another_element_proves_nothing_about_this_one(backend, pair):
    is_refused(backend, signed(document(), pair, target="two"), pair)


def test_two_references_are_one_too_many(backend, pair):
    root = document()
    template = root.find("{*}Signature")
    more = xmlsec.template.add_reference(template, T.TransformSha256, uri="#two")
    xmlsec.template.add_transform(more, T.TransformExclC14N)
    is_refused(backend, signed(root, pair), pair)


def test_an_id_that_stands_twice_proves_nothing(backend, pair):
    text = signed(document(), pair)
    is_refused(backend, text.replace(b'ID="two"', b'ID="one"'), pair)


def test_exactly_one_signature_stands_directly_below(backend, pair):
    root = etree.fromstring(signed(document(), pair))
    signature = root.find("{*}Signature")
    root.remove(signature)
    is_refused(backend, etree.tostring(root), pair)
    root.find("{*}Extensions").append(signature)
    is_refused(backend, etree.tostring(root), pair)


def test_what_is_not_xml_is_refused_like_a_bad_signature(backend, pair):
    is_refused(backend, b"<a>", pair)
