import CApusWire
import Glibc

/// A thread with a name and, if wanted, a processor of its own.
///
/// Unchecked: the handle is written before `start` returns and read by the one that joins.
final class EngineThread: @unchecked Sendable {
    private var handle = pthread_t()
    private let body: @Sendable () -> Void

    /// Starts it. Throws when the system gives no thread or the processor is not to be had.
    static func start(name: String, cpu: Int?, _ body: @escaping @Sendable () -> Void) throws(LiveError) -> EngineThread
    {
        let thread = EngineThread(body)
        let passed = Unmanaged.passRetained(thread)
        let result = apus_thread_start(
            &thread.handle, name, Int32(cpu ?? -1),
            { pointer in
                guard let pointer else { return nil }
                Unmanaged<EngineThread>.fromOpaque(pointer).takeRetainedValue().body()
                return nil
            }, passed.toOpaque())
        if result < 0 {
            passed.release()
            let place = cpu.map { " on processor \($0)" } ?? ""
            throw LiveError("cannot start the thread \(name)\(place): \(String(cString: strerror(-result)))")
        }
        return thread
    }

    private init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    /// Waits for its end. Once.
    func join() { pthread_join(handle, nil) }
}
