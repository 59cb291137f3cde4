import CApusProtocol
import CBench

/// What a Polymarket order costs before it is bytes on their way: typed order, hash, signature, the request's HMAC.
struct PolymarketSignature: Benchmark {
    let name = "polymarket-signature"
    let goal = "under 60 µs for an order"

    func run(_ session: Session) throws -> [Row] {
        let wallet = try SigningWallet()
        let samples = try pinned(to: session.cpu) {
            try session.alternate(
                session.repetitions(21),
                [{ wallet.sign(type: 0) }, { wallet.hash() }, { wallet.sign(type: 3) }, { wallet.authenticate() }])
        }
        var row = Row(
            name: name,
            work:
                "An order of its own each time, signed as an EOA signs it: the 352 bytes of its words to the hash that names it, and "
                + "secp256k1 with the recovery number. Its floor is the hash alone.",
            unit: "µs/order", ours: Figure("", of: samples[0]), floor: Figure("Keccak-256 of the order", of: samples[1])
        )
        row.note =
            "A deposit wallet's nested signature (type 3) takes \(short(median(samples[2]))) µs; the HMAC of a request of 1,200 bytes "
            + "\(short(median(samples[3]))) µs."
        row.goals = [.atMost(60, row.ours.median, "µs for an order")]
        return [row]
    }
}

/// A key with an order that changes in its salt. The key must not move: its context lies inside it.
private final class SigningWallet {
    private let key = UnsafeMutablePointer<apus_signing_key>.allocate(capacity: 1)
    private var exchange = apus_polymarket_exchange()
    private var order = apus_polymarket_typed_order()
    private var secret = apus_hmac_key()
    private var salt: UInt64 = 1
    private static let orders = 200

    init() throws {
        key.initialize(to: apus_signing_key())
        let bytes = (0..<32).map { UInt8($0 + 1) }
        guard apus_signing_key_init(key, bytes, bytes) == 0 else { throw BenchmarkError("the key is none") }
        apus_polymarket_exchange_init(&exchange, APUS_POLYMARKET_DOMAIN_NAME, "2", 137, Array(bytes.prefix(20)))
        apus_hmac_prepare(&secret, bytes, bytes.count)
    }

    deinit {
        apus_signing_key_wipe(key)
        apus_hmac_wipe(&secret)
        key.deallocate()
    }

    private func timed(_ count: Int, _ work: () -> Void) -> Double {
        let begin = bench_now()
        for _ in 0..<count { work() }
        return Double(bench_now() - begin) / Double(count) / 1e3
    }

    private func renew(type: UInt8) {
        salt += 1
        withUnsafeMutableBytes(of: &order) { words in
            words.storeBytes(of: salt.bigEndian, toByteOffset: 24, as: UInt64.self)
            words[Int(APUS_POLYMARKET_SIGNATURE_TYPE.rawValue) * 32 + 31] = type
        }
    }

    func hash() -> Double {
        var hash = [UInt8](repeating: 0, count: 32)
        return timed(Self.orders) {
            renew(type: 0)
            apus_polymarket_order_hash(&exchange, &order, &hash)
        }
    }

    func sign(type: UInt8) -> Double {
        var hash = [UInt8](repeating: 0, count: 32)
        var signature = [UInt8](repeating: 0, count: Int(APUS_POLYMARKET_SIGNATURE_BYTES))
        return timed(Self.orders) {
            renew(type: type)
            apus_polymarket_order_hash(&exchange, &order, &hash)
            _ = apus_polymarket_order_sign(key, &exchange, &order, hash, &signature)
        }
    }

    func authenticate() -> Double {
        let text = [CChar](repeating: 97, count: 1200)
        var signature = [CChar](repeating: 0, count: Int(APUS_POLYMARKET_HMAC_BYTES))
        return timed(Self.orders) { apus_polymarket_request_sign(&secret, text, text.count, &signature) }
    }
}
