/* SPDX-License-Identifier: ISC */
/* For the tests of mboxes: messages, as they lie in a spool. */
#ifndef DROP_MBOX_MAIL_TEST_H
#define DROP_MBOX_MAIL_TEST_H

#define F(who, day)	"From " who "@x Mon Jan  " day " 10:00:00 2024\n"
#define A	F("a", "1") "Subject: a\n\nThe first\n\n"
#define B	F("b", "2") "Status: O\nSubject: b\nX-UID: 7\n\nThe second\n\n\n"
#define B_MUA	F("b", "2") "Status: OD\nSubject: b\nX-UID: 8\n\nThe second\n\n\n"
#define C	F("c", "3") "Subject: c\r\nStatus: R\r\n\r\nThe third\n\n"
#define D	F("d", "4") "Subject: d\n\nNew mail\n\n"
#define HID	\
	"From MAILER-DAEMON Mon Jan  1 10:00:00 2024\n"			\
	"From: Mail System Internal Data <MAILER-DAEMON@x>\n"		\
	"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"	\
	"X-IMAP: 1 2\n\nThis text is part of the format\n\n"

#endif
