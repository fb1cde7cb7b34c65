import stat

from parvis.demo.mailbox import Mailbox


def answers(folder, *lines):
    waiting = [line.encode() for line in lines]
    box = Mailbox(folder, 0)
    return list(box.converse(lambda _most: waiting.pop(0) if waiting else b""))


def test_a_message_is_kept_as_it_was_sent_for_its_owner_only(tmp_path):
    said = answers(
        tmp_path,
        "EHLO hub\r\n",
        "MAIL FROM:<a@example.org>\r\n",
        "RCPT TO:<b@example.org>\r\n",
        "DATA\r\n",
        "Subject: Code\r\n",
        "\r\n",
        "..dotted\r\n",
        ".\r\n",
        "QUIT\r\n",
    )

    (path,) = tmp_path.glob("*.eml")
    assert path.read_bytes() == b"Subject: Code\r\n\r\n.dotted\r\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [line[:3] for line in said] == ["220", "250", "250", "250", "354", "250", "221"]


def test_data_without_a_recipient_is_refused(tmp_path):
    said = answers(tmp_path, "HELO hub\r\n", "DATA\r\n", "QUIT\r\n")

    assert [line[:3] for line in said] == ["220", "250", "503", "221"]
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_understood_is_said_and_a_silent_end_is_an_end(tmp_path):
    assert [line[:3] for line in answers(tmp_path, "VRFY x\r\n")] == ["220", "500", "500"]


def test_a_message_that_never_ends_is_not_kept_whole(tmp_path):
    big = "x" * 1024 * 600 + "\r\n"
    said = answers(
        tmp_path,
        "EHLO hub\r\n",
        "MAIL FROM:<a@example.org>\r\n",
        "RCPT TO:<b@example.org>\r\n",
        "DATA\r\n",
        big,
        big,
    )

    assert said[5].startswith("552")
    assert list(tmp_path.iterdir()) == []


def test_numbers_go_on_where_an_earlier_demonstration_stopped(tmp_path):
    (tmp_path / "0001.eml").write_text("old")
    mail = (
        "MAIL FROM:<a@example.org>\r\n",
        "RCPT TO:<b@example.org>\r\n",
        "DATA\r\n",
        "x\r\n",
        ".\r\n",
    )

    answers(tmp_path, "EHLO hub\r\n", *mail, "QUIT\r\n")

    assert (tmp_path / "0001.eml").read_text() == "old"
    assert (tmp_path / "0002.eml").read_bytes() == b"x\r\n"
