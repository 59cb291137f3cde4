import CApusProtocol
import Testing

/// Answers of the venue's published client tests; the key is the publicly known first one of Hardhat.
private enum Known {
    static let key = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
    static let address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    static let exchange = "0xE111180000d2663C0091e4f400237545B87B996B"
    static let negativeRisk = "0xe2222d279d744050d28e00520010520000310F59"
    static let token = "71321045679252212594626385532706912750332728571942532289631379312455583992563"

    struct Order: Sendable {
        var contract: String, salt: UInt64, holder: String, maker: UInt64, taker: UInt64
        var side: UInt64, type: UInt64, hash: String, signature: String
    }

    static let orders = [
        Order(
            contract: exchange, salt: 123_456_789, holder: address, maker: 100_000_000, taker: 50_000_000, side: 0,
            type: 0, hash: "32961c48ddac87ed3582f8e02097cd0eff4fcf80460306bd44b3710438dfa64c",
            signature: "89f178136333c8ebb32a19146cb891233e3202d474be6ef730c24dbc06ae4d2a"
                + "0c99948a86d9b57de0f2c0bb8ec6964aa244ecf17cfa3a95b86878d0b64ad78a1b"),
        Order(
            contract: negativeRisk, salt: 987_654_321, holder: address, maker: 50_000_000, taker: 100_000_000, side: 1,
            type: 0, hash: "8b878404bd92dea2bfea9975c9fcd816ec70a57ae431cb20d67bb773744aaef3",
            signature: "f7d60d64364e2615b08d9f69f3ea9afd3b4f83ecfbf05ddd3ca83f4916277fb9"
                + "7d2d080758d17c8e91c928aceb8ff252477ebaec051b672832500f63b4d36b061c"),
        Order(
            contract: exchange, salt: 111_111_111, holder: address, maker: 100_000_000, taker: 50_000_000, side: 0,
            type: 1, hash: "8f88fe2fb3448f4b8ba639992029f0a47a01a14d15b5f2bf9833516571efd279",
            signature: "71a63c85b730cc934688f23ea6374afffef57a61690eba63dcb97a706c8a8d0f"
                + "3d2a8e0280f3e252eb83be088ebae6b461a8eda18e559e079f59050b90057afa1c"),
        Order(
            contract: exchange, salt: 333_333_333, holder: "0x" + String(repeating: "1", count: 40),
            maker: 100_000_000, taker: 50_000_000, side: 0, type: 3,
            hash: "48cfd4c03dcee72230750e2dc5ea71048e91244c2a9fec2ed6ef790a74869596",
            signature: "780beffb568c4510b8a135a92ca8071f124cf368fb0e902fe451c5f51e555791"
                + "0a2a87968caa08a242de85e83c27375fc09242e897aa77680f56622a54e6e7c61c"
                + "3264e159346253e26a64e00b69032db0e7d32f94628de3e6eecb50304d7af3d2"
                + "d3db4f9eed41f0490532a9460395d96602c6534a931bde4f0e3aad571e4f84a0"
                + IndependentHMAC.hex(Array(orderType.utf8)) + "00ba"),
    ]

    static let orderType =
        "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
        + "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
}

private func bytes(_ hex: String, _ count: Int) throws -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    try #require(apus_hex_parse(hex, hex.utf8.count, &result, count) == 0)
    return result
}

private func word(_ fill: (UnsafeMutablePointer<UInt8>) -> Void) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: 32)
    result.withUnsafeMutableBufferPointer { fill($0.baseAddress!) }
    return result
}

private func number(_ value: UInt64) -> [UInt8] { word { apus_word_u64(value, $0) } }

private func typedOrder(_ known: Known.Order) throws -> apus_polymarket_typed_order {
    let holder = try bytes(known.holder, 20)
    let token = Known.token
    let address = word { apus_word_address(holder, $0) }
    let fields = [
        number(known.salt), address, address, word { _ = apus_word_parse(token, token.utf8.count, $0) },
        number(known.maker), number(known.taker), number(known.side), number(known.type), number(1_713_398_400_000),
        number(0), number(0),
    ]
    var order = apus_polymarket_typed_order()
    withUnsafeMutableBytes(of: &order) { $0.copyBytes(from: fields.joined()) }
    return order
}

/// A key at a fixed place: its context must not move.
private final class Key {
    let pointer = UnsafeMutablePointer<apus_signing_key>.allocate(capacity: 1)

    init(secret: String = Known.key, entropy: UInt8 = 7) throws {
        pointer.initialize(to: apus_signing_key())
        let secret = try bytes(secret, 32)
        let entropy = [UInt8](repeating: entropy, count: 32)
        try #require(apus_signing_key_init(pointer, secret, entropy) == 0)
    }

    deinit {
        apus_signing_key_wipe(pointer)
        pointer.deallocate()
    }
}

private func recovered(_ digest: [UInt8], _ signature: [UInt8]) -> String? {
    var address = [UInt8](repeating: 0, count: 20)
    guard apus_signature_recover(digest, signature, &address) == 0 else { return nil }
    return written(address)
}

private func written(_ address: [UInt8]) -> String {
    let text = [CChar](unsafeUninitializedCapacity: 42) { buffer, count in
        apus_address_write(address, buffer.baseAddress!)
        count = 42
    }
    return String(decoding: text.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Half of the group's order: an s above it has a twin below, and is refused by the contracts.
private let halfOrder: [UInt8] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
]

@Suite struct PolymarketSignTests {
    private func exchange(_ contract: String, version: String = "2") throws -> apus_polymarket_exchange {
        let contract = try bytes(contract, 20)
        var exchange = apus_polymarket_exchange()
        apus_polymarket_exchange_init(&exchange, APUS_POLYMARKET_DOMAIN_NAME, version, 137, contract)
        return exchange
    }

    private func sign(
        _ key: Key, _ exchange: apus_polymarket_exchange, _ order: apus_polymarket_typed_order
    ) -> (hash: [UInt8], signature: [UInt8]) {
        var exchange = exchange
        var order = order
        var hash = [UInt8](repeating: 0, count: 32)
        apus_polymarket_order_hash(&exchange, &order, &hash)
        let signature = [UInt8](unsafeUninitializedCapacity: Int(APUS_POLYMARKET_SIGNATURE_BYTES)) { buffer, count in
            count = apus_polymarket_order_sign(key.pointer, &exchange, &order, hash, buffer.baseAddress!)
        }
        return (hash, signature)
    }

    @Test(arguments: Known.orders.indices) func ordersSignAsTheVenuesClientDoes(_ index: Int) throws {
        let known = Known.orders[index]
        let answer = sign(try Key(), try exchange(known.contract), try typedOrder(known))
        #expect(IndependentHMAC.hex(answer.hash) == known.hash)
        #expect(IndependentHMAC.hex(answer.signature) == known.signature)
        #expect(answer.signature.count == (known.type == 3 ? 317 : 65))
        if known.type != 3 { #expect(recovered(answer.hash, answer.signature) == Known.address) }
    }

    /// The digest that a deposit wallet checks, put together here from the texts of ERC-7739.
    @Test func aNestedSignatureIsOfTheWrapper() throws {
        let known = Known.orders[3]
        let answer = sign(try Key(), try exchange(known.contract), try typedOrder(known))
        let separator = Array(answer.signature[65..<97])
        let contents = Array(answer.signature[97..<129])
        let wrapper =
            "TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,"
            + "bytes32 salt)" + Known.orderType
        let texts = [wrapper, "DepositWallet", "1"].map { IndependentKeccak.hash(Array($0.utf8)) }
        let wallet = [UInt8](repeating: 0, count: 12) + [UInt8](repeating: 0x11, count: 20)
        let structure = IndependentKeccak.hash(
            texts[0] + contents + texts[1] + texts[2] + number(137) + wallet + number(0))
        let digest = IndependentKeccak.hash([0x19, 0x01] + separator + structure)
        #expect(recovered(digest, Array(answer.signature.prefix(65))) == Known.address)
        #expect(IndependentKeccak.hash([0x19, 0x01] + separator + contents) == answer.hash)
    }

    @Test func theVersionOfTheDomainChangesTheHash() throws {
        let known = Known.orders[0]
        let key = try Key()
        let order = try typedOrder(known)
        let second = sign(key, try exchange(known.contract), order)
        let third = sign(key, try exchange(known.contract, version: "3"), order)
        #expect(second.hash != third.hash)
        #expect(recovered(third.hash, third.signature) == Known.address)
    }

    @Test func everyFieldChangesTheHash() throws {
        let key = try Key()
        let exchange = try exchange(Known.exchange)
        let order = try typedOrder(Known.orders[0])
        var hashes: Set<[UInt8]> = [sign(key, exchange, order).hash]
        for field in 0..<Int(APUS_POLYMARKET_ORDER_FIELDS.rawValue) {
            var changed = order
            withUnsafeMutableBytes(of: &changed) { $0[32 * field + 20] ^= 1 }
            hashes.insert(sign(key, exchange, changed).hash)
        }
        #expect(hashes.count == 12)
    }

    @Test func signaturesAreLowDeterministicAndOfTheKey() throws {
        let key = try Key()
        let other = try Key(entropy: 200)
        for round in 0..<200 {
            let digest = IndependentKeccak.hash(Array("digest \(round)".utf8))
            var signature = [UInt8](repeating: 0, count: 65)
            var again = signature
            apus_signing_key_sign(key.pointer, digest, &signature)
            apus_signing_key_sign(other.pointer, digest, &again)
            #expect(signature == again)
            #expect(signature[64] == 27 || signature[64] == 28)
            #expect(!halfOrder.lexicographicallyPrecedes(Array(signature[32..<64])))
            #expect(recovered(digest, signature) == Known.address)
            signature[40] ^= 1
            #expect(recovered(digest, signature) != Known.address)
        }
    }

    @Test(arguments: [
        "0x" + String(repeating: "0", count: 64), "0x" + String(repeating: "f", count: 64),
        "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
    ])
    func whatIsNoKeyIsRefused(_ text: String) throws {
        let secret = try bytes(text, 32)
        let entropy = [UInt8](repeating: 1, count: 32)
        let key = UnsafeMutablePointer<apus_signing_key>.allocate(capacity: 1)
        defer { key.deallocate() }
        key.initialize(to: apus_signing_key())
        #expect(apus_signing_key_init(key, secret, entropy) == -EINVAL)
        #expect(UnsafeRawBufferPointer(start: key, count: MemoryLayout<apus_signing_key>.size).allSatisfy { $0 == 0 })
    }

    @Test func aWipedKeyHoldsNothing() throws {
        let key = try Key()
        apus_signing_key_wipe(key.pointer)
        let bytes = UnsafeRawBufferPointer(start: key.pointer, count: MemoryLayout<apus_signing_key>.size)
        #expect(bytes.allSatisfy { $0 == 0 })
    }

    @Test(arguments: [UInt8(0), 26, 31, 255]) func aSignatureWithoutAnAddress(_ v: UInt8) throws {
        let digest = IndependentKeccak.hash([1])
        var signature = [UInt8](repeating: 0, count: 65)
        apus_signing_key_sign(try Key().pointer, digest, &signature)
        signature[64] = v
        #expect(recovered(digest, signature) == nil)
        #expect(recovered(digest, [UInt8](repeating: 0, count: 64) + [27]) == nil)
    }

    // MARK: Levels 1 and 2

    @Test func levelOne() throws {
        let key = try Key()
        var signature = [UInt8](repeating: 0, count: 65)
        apus_polymarket_auth_sign(key.pointer, 80002, 10_000_000, 23, &signature)
        #expect(
            IndependentHMAC.hex(signature)
                == "f62319a987514da40e57e2f4d7529f7bac38f0355bd88bb5adbb3768d80de6c1"
                + "682518e0af677d5260366425f4361e7b70c25ae232aff0ab2331e2b164a1aedc1b")
    }

    private func signed(_ secret: String, _ text: String) -> String? {
        var key = apus_hmac_key()
        guard apus_polymarket_secret_prepare(&key, secret, secret.utf8.count) == 0 else { return nil }
        defer { apus_hmac_wipe(&key) }
        let signature = [CChar](unsafeUninitializedCapacity: 44) { buffer, count in
            apus_polymarket_request_sign(&key, text, text.utf8.count, buffer.baseAddress!)
            count = 44
        }
        return String(decoding: signature.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @Test func levelTwo() {
        let secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        #expect(
            signed(secret, "1000000test-sign/orders{\"hash\": \"0x123\"}")
                == "ZwAdJKvoYRlEKDkNMwd5BuwNNtg93kNaR_oU2HrfVvc=")
    }

    @Test func secretsOfBothAlphabetsAreTheSame() {
        #expect(signed("-_-_AA==", "text") == signed("+/+/AA", "text"))
        #expect(signed("-_-_AA==", "text") != nil)
        #expect(signed("-_-_AB", "text") != nil)
    }

    @Test(arguments: ["", "=", "A", "AAAAA", "AA A", "AAA\u{e9}", "====", String(repeating: "AAAA", count: 43)])
    func secretsThatAreNone(_ secret: String) { #expect(signed(secret, "text") == nil) }

    // MARK: Texts

    @Test func words() throws {
        let largest = "115792089237316195423570985008687907853269984665640564039457584007913129639935"
        var word = [UInt8](repeating: 0, count: 32)
        #expect(apus_word_parse(largest, largest.utf8.count, &word) == 0)
        #expect(word == [UInt8](repeating: 0xff, count: 32))
        let above = largest.dropLast() + "6"
        #expect(apus_word_parse(String(above), above.utf8.count, &word) == -ERANGE)
        for text in ["", "-1", "1.0", "0x1", " 1"] {
            #expect(apus_word_parse(text, text.utf8.count, &word) == -EINVAL, "\(text)")
        }
    }

    /// The addresses of EIP-55's own examples.
    @Test(arguments: [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0x52908400098527886E0F7030069857D2E4169EE7", "0xde709f2102306220921060314715629080e2fb77",
    ])
    func addressesCarryTheirChecksum(_ text: String) throws {
        #expect(written(try bytes(text.lowercased(), 20)) == text)
    }

    @Test(arguments: ["", "0x", "0x1", "1234", "0xzz", "0x123456"]) func hexThatIsNone(_ text: String) {
        var result = [UInt8](repeating: 0, count: 2)
        #expect(apus_hex_parse(text, text.utf8.count, &result, 2) == -EINVAL)
    }
}
