use proptest::prelude::*;

use super::*;

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

fn connection(frames: &[Vec<u8>]) -> Vec<u8> {
    [PREFACE, &frames.concat()].concat()
}

fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    Authority::new().mend(&mut bytes);
    bytes
}

/// A request's headers as grpcio 1.85 writes them.
fn grpcio(authority: &str) -> Vec<u8> {
    let length = [u8::try_from(authority.len()).unwrap()];
    [
        b"@\x05:path)/sidecall.v1.SidecallService/ExecuteBatch@\x0a:authority",
        &length[..],
        authority.as_bytes(),
        b"\x83\x86@\x0ccontent-type\x10application/grpc@\x02te\x08trailers",
    ]
    .concat()
}

#[test]
fn a_host_and_everything_else_pass_as_they_are() {
    for bytes in [
        connection(&[frame(4, 0, &[0; 36]), frame(HEADERS, 4, &grpcio("localhost:80"))]),
        connection(&[frame(0, 0, &grpcio("a%2Fb")), frame(HEADERS, 4, b"\x83\x86")]),
        // Another name, another field's value, a Huffman-coded value.
        connection(&[frame(HEADERS, 4, b"@\x0a:authoritx\x03a%b@\x0b:authority2\x01%")]),
        connection(&[frame(HEADERS, 4, b"@\x01x\x0d\x0a:authority\x03%%@\x09:authorit\x01%")]),
        connection(&[frame(HEADERS, 4, b"\x41\x83%%%")]),
        b"GET / HTTP/1.1\r\n\x00\x00\x05\x01\x04\x00\x00\x00\x01\x41\x03a%b".to_vec(),
    ] {
        assert_eq!(mended(&bytes), bytes);
    }
}

#[test]
fn a_path_in_place_of_the_authority_becomes_a_host_of_the_same_length() {
    for (given, expected) in [
        ("tmp%2Fa_b%2Fx.sock", "tmp-2Fa_b-2Fx.sock"),
        ("/run/x.sock", "-run-x.sock"),
        ("a b\u{7f}é", "a-b---"),
    ] {
        let headers = |authority: &str| {
            connection(&[
                frame(4, 0, &[]),
                frame(HEADERS, 4, &grpcio(authority)),
                frame(0, 1, b"@\x0a:authority\x03a%b"),
            ])
        };
        assert_eq!(mended(&headers(given)), headers(expected));
    }
}

#[test]
fn every_way_to_write_the_field_is_known() {
    let long = "%".repeat(200);
    for (field, expected) in [
        (b"\x41\x03a%b".to_vec(), b"\x41\x03a-b".to_vec()),
        (b"\x01\x03a%b".to_vec(), b"\x01\x03a-b".to_vec()),
        (b"\x11\x03a%b".to_vec(), b"\x11\x03a-b".to_vec()),
        (b"\x00\x0a:authority\x01/".to_vec(), b"\x00\x0a:authority\x01-".to_vec()),
        (b"\x3f\xe1\x1f\x41\x01%\xff\x00".to_vec(), b"\x3f\xe1\x1f\x41\x01-\xff\x00".to_vec()),
        // Lengths and indexes of several bytes.
        (
            [b"\x7f\x80\x01\x01%\x41\x7f\x49", long.as_bytes()].concat(),
            [b"\x7f\x80\x01\x01%\x41\x7f\x49", "-".repeat(200).as_bytes()].concat(),
        ),
    ] {
        let headers = |field: &[u8]| connection(&[frame(HEADERS, 4, field)]);
        assert_eq!(mended(&headers(&field)), headers(&expected), "{field:?}");
    }
}

#[test]
fn padding_priority_and_continuations_are_seen_through() {
    let connection = |byte: u8| {
        let (first, second) = ([b'A', 3, b'a', byte], [b'b', 0x83]);
        connection(&[
            frame(HEADERS, PADDED | PRIORITY, &[&[2][..], b"A\x03a%b", &first, b"A%"].concat()),
            frame(CONTINUATION, 0, b""),
            frame(CONTINUATION, 4, &second),
            frame(HEADERS, PADDED, b"\x00A\x01%"),
            frame(HEADERS, PRIORITY, b"A\x03a%b"),
        ])
    };
    let expected = |bytes: Vec<u8>| {
        // The last authority but one is mended too.
        let at = bytes.windows(4).position(|four| four == b"\x00A\x01%").unwrap();
        [&bytes[..at + 3], b"-", &bytes[at + 4..]].concat()
    };
    assert_eq!(mended(&connection(b'%')), expected(connection(b'-')));
}

proptest! {
    #[test]
    fn it_does_not_matter_how_the_bytes_are_cut(
        cuts in prop::collection::vec(1_usize..40, 0..40),
        authorities in prop::collection::vec("[a-z%/]{1,40}", 1..4),
    ) {
        let written = |mend: fn(&str) -> String| {
            let frame = |authority: &String| frame(HEADERS, 4, &grpcio(&mend(authority)));
            connection(&authorities.iter().map(frame).collect::<Vec<_>>())
        };
        let whole = written(str::to_owned);
        let mut pieces = whole.clone();
        let mut reader = Authority::new();
        let mut rest = &mut pieces[..];
        for cut in cuts {
            let (piece, behind) = rest.split_at_mut(cut.min(rest.len()));
            reader.mend(piece);
            rest = behind;
        }
        reader.mend(rest);
        prop_assert_eq!(&pieces, &mended(&whole));
        prop_assert_eq!(pieces, written(|authority| authority.replace(['%', '/'], "-")));
    }

    #[test]
    fn no_bytes_make_it_fall(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        mended(&bytes);
        mended(&[PREFACE, &bytes].concat());
        mended(&connection(&[frame(HEADERS, bytes.first().copied().unwrap_or(0), &bytes)]));
    }
}
