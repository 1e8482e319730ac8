"""Bounces, complaints and requests to unsubscribe, as mail servers and mail programs write them."""

from datetime import datetime
from email.utils import format_datetime

from newsletter.letter.links import Keyring, bounce_tag, letter_tag
from newsletter.model import Publication
from tests.support.factories import DAY, NOON

PUBLICATION = Publication("Papers", "Papers", "papers@example.org", bounces="bounce@example.org")
KEYS = Keyring(("a key of many letters",), audience="papers@example.org")


def return_path(reader: int = 1) -> str:
    """The return path of a reader's letters."""
    return f"bounce+{bounce_tag(reader, KEYS)}@example.org"


def letter_id(reader: int = 1) -> str:
    """The Message-ID of a reader's letter of the day."""
    return f"<{DAY.isoformat()}.{letter_tag(DAY, reader, KEYS)}@example.org>"


def postfix_bounce(
    to: str,
    *,
    status: str = "5.1.1",
    said: str = "550 5.1.1 <ada@example.net>: Recipient address rejected: User unknown",
    action: str = "failed",
    sent: datetime = NOON,
    letter: str = "<other@example.net>",
    name: str = "20260803120000.1F2E3D@mx.example.org",
) -> bytes:
    """A bounce as Postfix writes it."""
    return f"""\
Return-Path: <>
X-Original-To: {to}
Delivered-To: {to}
Received: by mx.example.org (Postfix)
\tid 1F2E3D; {format_datetime(sent)}
Date: {format_datetime(sent)}
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4C5D6E.1785758400/mx.example.org"
Message-Id: <{name}>

This is a MIME-encapsulated message.

--4C5D6E.1785758400/mx.example.org
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.org.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

--4C5D6E.1785758400/mx.example.org
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
X-Postfix-Queue-ID: 1F2E3D
X-Postfix-Sender: rfc822; {to}
Arrival-Date: {format_datetime(sent)}

Final-Recipient: rfc822; ada@example.net
Original-Recipient: rfc822;ada@example.net
Action: {action}
Status: {status}
Remote-MTA: dns; mail.example.net
Diagnostic-Code: smtp; {said}

--4C5D6E.1785758400/mx.example.org
Content-Description: Undelivered Message
Content-Type: message/rfc822

Received: from news.example.org (news.example.org [192.0.2.1])
\tby mx.example.org (Postfix) with ESMTP id 1F2E3D
\tfor <ada@example.net>; {format_datetime(sent)}
To: ada@example.net
Subject: Attention, again
Message-ID: {letter}

One paper.

--4C5D6E.1785758400/mx.example.org--
""".encode()


def exim_bounce(to: str, said: str = "Diagnostic-Code: smtp; 550 No such user here") -> bytes:
    """A bounce as Exim writes it: always ``Status: 5.0.0``, with only the headers of the letter."""
    return f"""\
Return-path: <>
Envelope-to: {to}
Delivery-date: Mon, 03 Aug 2026 12:00:01 +0000
Received: from Debian-exim by mx.example.net with local (Exim 4.96)
\tid 1qRstu-0001Ab-2C
\tfor {to};
\tMon, 03 Aug 2026 12:00:00 +0000
X-Failed-Recipients: ada@example.net
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.example.net>
To: {to}
Content-Type: multipart/report; report-type=delivery-status; boundary=1785758400-eximdsn-12
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1qRstu-0001Ab-2C@mx.example.net>
Date: Mon, 03 Aug 2026 12:00:00 +0000

--1785758400-eximdsn-12
Content-type: text/plain; charset=us-ascii

This message was created automatically by mail delivery software.

--1785758400-eximdsn-12
Content-type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Action: failed
Final-Recipient: rfc822;ada@example.net
Status: 5.0.0
{said}

--1785758400-eximdsn-12
Content-type: text/rfc822-headers

Return-path: <{to}>
Message-ID: <other@example.org>
Subject: Attention, again

--1785758400-eximdsn-12--
""".encode()


def exchange_bounce(to: str, status: str = "5.1.10", letter: str = "<other@example.org>") -> bytes:
    """A bounce as Exchange Online writes it: CRLF, HTML, and the reader's name in To."""
    text = f"""\
Received: from AM0PR01MB1234.example.net (2001:db8::1) by AM0PR01.example.net;
 Mon, 3 Aug 2026 12:00:00 +0000
MIME-Version: 1.0
From: <postmaster@example.net>
To: "Daily Papers" <{to}>
Date: Mon, 3 Aug 2026 12:00:00 +0000
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="9B095B5ADSN=_01D9"
X-MS-Exchange-Message-Is-Ndr:
Content-Language: en-US
Message-ID: <7d1c@AM0PR01MB1234.example.net>
In-Reply-To: {letter}
References: {letter}
Subject: Undeliverable: Attention, again
Auto-Submitted: auto-replied

--9B095B5ADSN=_01D9
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="alt"

--alt
Content-Type: text/html; charset="utf-8"

<p>Your message to ada couldn't be delivered.</p>
--alt--

--9B095B5ADSN=_01D9
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0PR01MB1234.example.net
Arrival-Date: Mon, 3 Aug 2026 12:00:00 +0000

Final-Recipient: rfc822;ada@example.net
Action: failed
Status: {status}
Diagnostic-Code: smtp;550 {status} RESOLVER.ADR.RecipientNotFound; Recipient not found
X-Display-Name: ada

--9B095B5ADSN=_01D9
Content-Type: message/rfc822

Message-ID: {letter}
To: ada@example.net
Subject: Attention, again

One paper.
--9B095B5ADSN=_01D9--
"""
    return text.replace("\n", "\r\n").encode()


def gmail_bounce(to: str) -> bytes:
    """A bounce as Gmail writes it: the diagnostic text spans several lines."""
    return f"""\
Delivered-To: {to}
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: {to}
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
Date: Mon, 03 Aug 2026 05:00:00 -0700 (PDT)
Message-ID: <64cb.050a@mx.google.com>
Content-Type: multipart/report; boundary="000000000000ab"; report-type=delivery-status

--000000000000ab
Content-Type: multipart/related; boundary="000000000000cd"

--000000000000cd
Content-Type: text/plain; charset="UTF-8"

** Address not found **
--000000000000cd--

--000000000000ab
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Received-From-MTA: dns; papers@example.org
Arrival-Date: Mon, 03 Aug 2026 04:59:59 -0700 (PDT)

Final-Recipient: rfc822; ada@example.net
Action: failed
Status: 5.1.1
Remote-MTA: dns; gmail-smtp-in.l.google.com. (192.0.2.26, the server for the domain.)
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.
 550 5.1.1 Please try double-checking the recipient's address - gsmtp
Last-Attempt-Date: Mon, 03 Aug 2026 05:00:00 -0700 (PDT)

--000000000000ab
Content-Type: message/rfc822

Message-ID: <other@example.org>
Subject: Attention, again

--000000000000ab--
""".encode()


def complaint_mail(
    kind: str = "abuse", *, letter: str = "<other@example.org>", back: str = "<>", date: str = ""
) -> bytes:
    """A feedback report (RFC 5965), which identifies the letter by its headers."""
    return f"""\
From: <complaints@example.net>
Date: {date or "Mon, 3 Aug 2026 12:00:00 +0000"}
Subject: FW: Attention, again
To: <abuse@example.org>
Message-ID: <arf-{kind}@example.net>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="part1"

--part1
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report for an email message received from 192.0.2.1.

--part1
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: {back}
Arrival-Date: Mon, 3 Aug 2026 12:00:00 +0000

--part1
Content-Type: message/rfc822
Content-Disposition: inline

Message-ID: {letter}
From: <papers@example.org>
Subject: Attention, again

One paper.
--part1--
""".encode()


def unsubscribe_mail(subject: str, *, to: str = "bounce@example.org", more: str = "") -> bytes:
    """A mail as mail programs write it for a reader who unsubscribes."""
    return f"""\
From: Somebody Else <else@example.net>
To: {to}
Subject: {subject}
Date: Mon, 3 Aug 2026 14:00:00 +0200
Message-ID: <leave@example.net>
{more}
This message was sent by a mail program.
""".encode()


def prose_bounce(
    to: str,
    notice: str,
    *,
    sender: str = "MAILER-DAEMON@mx.example.net",
    subject: str = "failure notice",
) -> bytes:
    """A bounce without a part for machines: a notice, and the letter below it."""
    return f"""\
Delivered-To: {to}
From: {sender}
To: {to}
Subject: {subject}
Date: Mon, 3 Aug 2026 12:00:00 +0000
Message-ID: <words@mx.example.net>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{notice}
--- Below this line is a copy of the message.

Return-Path: <{to}>
Message-ID: <other@example.org>
To: ada@example.net
Subject: Attention, again

One paper. User unknown, too many spammers, your IP is blocked.
""".encode()
