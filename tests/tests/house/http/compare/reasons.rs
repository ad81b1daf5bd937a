//! Why the farm does otherwise than nginx: the rule, then what the farm does, what nginx does, and the requests where they do.
//! RFC 9110 is HTTP, RFC 9112 its first version's framing; *a decision* is one that both leave to a server.

/// What the farm does, what nginx does, and the names of the requests.
pub(super) type Difference = (&'static str, &'static str, &'static [&'static str]);

const RAN: &str = "200 (echo ran GET /api/ 0), probe";
const WHOLE: &str = "200 (0123456789abcdefghi), probe";
const REFUSED: &str = "400, end";

pub(super) const REASONS: &[(&str, &[Difference])] = &[
    (
        "a line ends in CR LF: whoever takes a bare LF for its end may see another head, or another chunk, than others do \
        (RFC 9112, 2.2 and 7.1)",
        &[
            (REFUSED, RAN, &["H-09 bare line feeds", "H-09 one bare line feed", "a bare line feed at the end"]),
            (
                "200 (echo ran GET /api/ 0), 400, end",
                "200 (echo ran GET /api/ 0), 200 (echo ran GET /api/smug 0), end",
                &["H-09 one after a good request"],
            ),
            (REFUSED, "200 (echo ran POST /api/ 0), probe", &["a bare line feed within"]),
            (
                REFUSED,
                "200 (echo ran POST /api/ 3), probe",
                &[
                    "H-09 a bare line feed after the bytes",
                    "H-09 a bare line feed after the size",
                    "H-09 a bare line feed in an extension",
                ],
            ),
        ],
    ),
    (
        "nothing follows a chunked body on its connection: where it ends is looked for by one reader alone (a decision)",
        &[
            (
                "200 (echo ran POST /api/ 0), end",
                "200 (echo ran POST /api/ 0), 200 (echo ran GET /api/smug 0), end",
                &["H-06 nothing follows chunks on a connection", "H-09 trailers that name a host and a length"],
            ),
            (
                "200 (echo ran POST /api/ 3), end",
                "200 (echo ran POST /api/ 3), probe",
                &["H-09 plain", "H-09 a short extension"],
            ),
            (
                "200 (echo ran POST /api/ 2), end",
                "200 (echo ran POST /api/ 2), 200 (echo ran GET /api/next 0), probe",
                &[
                    "S chunks in upper case",
                    "S a chunk's size with zeros",
                    "S a space after a chunk's size",
                    "S a trailer",
                ],
            ),
            (
                "200 (0123456789abcdefghi), end",
                "200 (0123456789abcdefghi), 200 (echo ran GET /api/next 0), probe",
                &["S chunks with a file"],
            ),
            (
                "200 (echo ran GET /api/next 0), 200 (echo ran POST /api/ 2), end",
                "200 (echo ran GET /api/next 0), 200 (echo ran POST /api/ 2), probe",
                &["P within a chunk's size", "P within a chunk", "P within the last chunk"],
            ),
            (
                "200 (echo ran GET /api/ 0), 200 (echo ran POST /api/ 3), end",
                "200 (echo ran GET /api/ 0), 200 (echo ran POST /api/ 3), 200 (echo ran GET /api/smug 0), end",
                &["H-09 behind another request, which is not the last one"],
            ),
        ],
    ),
    (
        "a body that a file has no use for is not read, so nobody minds what is in it; nothing follows it (a decision)",
        &[("200 (0123456789abcdefghi), end", REFUSED, &["S bad chunks with a file"])],
    ),
    (
        "a line that is no header makes the request none, and is not left out: the next reader may take it for one \
        (RFC 9112, 5; RFC 9110, 5.1 and 5.5)",
        &[
            (REFUSED, RAN, &["H-09 a line without a colon", "H-09 a name that is no token"]),
            (
                REFUSED,
                "200 (echo ran GET /api/ 0), 200 (echo ran GET /api/next 0), probe",
                &["S a control byte in a value", "S a delete byte in a value"],
            ),
        ],
    ),
    (
        "heads, extensions, trailers and numbers have limits, since all of them cost memory or time (a decision)",
        &[
            ("431, end", RAN, &["H-05 101 headers"]),
            (REFUSED, "200 (echo ran POST /api/ 3), probe", &["H-09 an extension of 20 KB"]),
            (REFUSED, "200 (echo ran POST /api/ 10), probe", &["H-09 extensions of 20 KB together"]),
            (REFUSED, "200 (echo ran POST /api/ 0), probe", &["H-09 trailers of 100 KB"]),
            (REFUSED, "200 (echo ran POST /api/ 2), probe", &["H-07 forty digits", "a length of too many digits"]),
        ],
    ),
    (
        "both refuse: headers that are too large have a status of their own (RFC 6585, 5), so has a body (RFC 9110, 15.5.14)",
        &[
            (
                "431, end",
                REFUSED,
                &[
                    "H-05 10,000 headers",
                    "H-05 64 KiB of headers and one byte",
                    "H-05 a header of 300 KB",
                    "H-05 a header of 1 MB",
                ],
            ),
            ("413, end", REFUSED, &["H-07 a length past all bodies"]),
        ],
    ),
    (
        "both refuse: where the last coding is not `chunked` nobody knows the body's end, which is 400 (RFC 9112, 6.3); where \
        it is, and there are others, 501 (RFC 9112, 6.1)",
        &[
            (
                REFUSED,
                "501, end",
                &[
                    "H-06 xchunked",
                    "H-06 a quoted coding",
                    "H-06 a vertical tab",
                    "H-06 chunked, identity",
                    "chunks that are none, then a length",
                ],
            ),
            ("501, end", REFUSED, &["H-06 chunks twice"]),
        ],
    ),
    (
        "one length that is said twice is one length (RFC 9110, 8.6)",
        &[("200 (echo ran POST /api/ 4), probe", REFUSED, &["H-07 one length twice"])],
    ),
    (
        "a tab around a value is as good as a space (RFC 9110, 5.6.3)",
        &[
            ("200 (echo ran POST /api/ 1), probe", REFUSED, &["H-07 spaces around it"]),
            ("200 (one ran GET /api/ 0), probe", REFUSED, &["H-10 with spaces around it"]),
        ],
    ),
    (
        "what is no host is refused, and is not a host that nobody has (RFC 9112, 3.2)",
        &[
            (
                REFUSED,
                "404, probe",
                &[
                    "H-10 a byte past ASCII",
                    "H-10 a dot in front",
                    "H-10 a letter that looks like one of ours",
                    "H-10 a user",
                    "H-10 a wide full stop",
                    "H-10 an escape",
                ],
            ),
            (
                REFUSED,
                "200 (one ran GET /api/ 0), probe",
                &["H-10 a port past all ports", "H-10 a port that is a name", "H-10 two ports"],
            ),
        ],
    ),
    (
        "a host in the target is the same one: it would win (RFC 9112, 3.2.2), but who names two is misread by somebody",
        &[
            (REFUSED, "404, probe", &["H-11 another host in the target"]),
            (REFUSED, RAN, &["H-11 another port in the target"]),
        ],
    ),
    (
        "a method that nobody knows is no request of an app's (RFC 9110, 9.1)",
        &[
            ("501, end", "200 (echo ran BREW /api/ 0), probe", &["H-11 a method that nobody knows"]),
            ("501, end", "200 (echo ran PROPFIND /api/ 0), probe", &["H-11 one of another protocol"]),
            (
                "501, end",
                "200 (echo ran GGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGG...), probe",
                &["H-11 a method of 1 KB"],
            ),
            ("501, end", REFUSED, &["H-11 lower case"]),
            ("405, end", REFUSED, &["H-11 CONNECT"]),
        ],
    ),
    (
        "a path with dot segments is refused and not rewritten: clients take them out themselves (RFC 3986, 5.2.4), and \
        whoever checked the path before may have seen another one",
        &[
            (
                REFUSED,
                "404, probe",
                &[
                    "H-13 up and down",
                    "H-13 slashes within",
                    "H-13 a parameter before",
                    "H-13 this folder",
                    "H-13 this folder, encoded",
                ],
            ),
            (REFUSED, WHOLE, &["T this folder", "T up to the root"]),
        ],
    ),
    (
        "a path has no backslash, no control byte and is UTF-8: to a later reader they are separators, ends or dots",
        &[(
            REFUSED,
            "404, probe",
            &[
                "H-13 a backslash",
                "H-13 an encoded backslash",
                "H-13 a new line",
                "H-13 overlong dots",
                "H-13 overlong dots of three bytes",
                "H-13 an overlong slash",
            ],
        )],
    ),
    (
        "two slashes are not one: a path is what was written (RFC 3986, 6.2.2 has no rule that makes them the same)",
        &[
            ("404, probe", WHOLE, &["T two slashes in front"]),
            ("404, probe", "200 (docs), probe", &["T two slashes within"]),
            (
                "200 (app1 ran GET /api///private/seed.json 0), probe",
                "200 (app1 ran GET /api/private/seed.json 0), probe",
                &["H-13 slashes that mean nothing"],
            ),
        ],
    ),
    (
        "versions are 1.0 and 1.1: nobody speaks any other over such a connection in earnest (RFC 9110, 2.5 would have 1.2 \
        taken for 1.1); a request line has one space between its words (RFC 9112, 3)",
        &[
            (REFUSED, "?, end", &["H-15 HTTP/0.9"]),
            (REFUSED, RAN, &["H-15 HTTP/1.2", "H-15 two spaces"]),
            (REFUSED, "505, end", &["H-15 HTTP/2.0 in words"]),
            ("end", REFUSED, &["H-02 HTTP/2"]),
        ],
    ),
    (
        "an expectation that nobody meets is refused (RFC 9110, 10.1.1), and without a body there is nothing to continue with",
        &[
            ("417, end", RAN, &["H-19 an expectation that nobody meets"]),
            (
                "200 (echo ran GET /api/ 0), 200 (echo ran GET /api/next 0), probe",
                "100, 200 (echo ran GET /api/ 0), 200 (echo ran GET /api/next 0), probe",
                &["S a promise without a body"],
            ),
        ],
    ),
    (
        "a client whose body takes too long is told so (RFC 9110, 15.5.9)",
        &[("408, end", "end", &["S a body that is not whole"])],
    ),
    (
        "what is no range, or more than one, is ignored, and the whole is sent (RFC 9110, 14.2, which leaves both to a server)",
        &[
            (
                WHOLE,
                "416 bytes */19, probe",
                &[
                    "H-21 a fraction",
                    "H-21 a sign",
                    "H-21 a thousand of nothing",
                    "H-21 backwards",
                    "H-21 below nothing",
                    "H-21 hexadecimal",
                    "R a dash",
                    "R one and a comma",
                ],
            ),
            (WHOLE, "206 bytes 2-4/19 (234), probe", &["R one of two lies beyond"]),
            (WHOLE, "206 in parts, probe", &["R two that lie apart"]),
        ],
    ),
    (
        "spaces between the words of a range do no harm: the answer names the place",
        &[("206 bytes 2-4/19 (234), probe", WHOLE, &["R spaces within"])],
    ),
    (
        "the end of a range may lie beyond the file, and beyond all numbers (RFC 9110, 14.1.2)",
        &[("206 bytes 17-18/19 (hi), probe", "416 bytes */19, probe", &["H-21 to beyond"])],
    ),
    (
        "there are no parts of what is not sent (RFC 9110, 14.2)",
        &[(
            "200 of 19, 200 (echo ran GET /api/next 0), probe",
            "206 bytes 2-4/19 (), 200 (echo ran GET /api/next 0), probe",
            &["S a part to HEAD"],
        )],
    ),
    (
        "a file is new where it was changed after a date, and not where the date is another one (RFC 9110, 13.1.3)",
        &[("304, probe", WHOLE, &["H-22 a date in 9999", "C the date in the form of asctime"])],
    ),
    (
        "a tag is heeded alone, whatever the date beside it (RFC 9110, 13.1.3 and 13.1.4), and tags may stand on several lines \
        (RFC 9110, 5.3)",
        &[
            ("304, probe", WHOLE, &["C the tag, but an old date"]),
            (WHOLE, "412, end", &["C the tag must be, whatever the date"]),
            ("304, probe", REFUSED, &["C tags on two lines"]),
        ],
    ),
    (
        "what is no date demands nothing (RFC 9110, 13.1.4)",
        &[(WHOLE, "412, end", &["H-22 not changed since yesterday"])],
    ),
    (
        "a demand that does not hold is no fault of the connection's, which goes on",
        &[(
            "412, probe",
            "412, end",
            &[
                "H-22 another tag must be",
                "H-22 its tag must be, as a weak one",
                "H-22 no tag that there is must be",
                "H-22 not changed since 1990",
                "C another tag must be, and a range",
            ],
        )],
    ),
];
