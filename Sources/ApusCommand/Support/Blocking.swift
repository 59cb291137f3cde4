import Dispatch
import Synchronization

/// Waits on this thread for asynchronous work. The command line is synchronous: its main thread draws and waits for signals.
///
/// - Parameter check: called ten times a second meanwhile; what it throws ends the waiting. nil: nothing ends it but the work.
package func blocking<Value: Sendable>(
    checking check: (() throws -> Void)? = nil, _ work: @escaping @Sendable () async throws -> Value
) throws -> Value {
    let done = DispatchSemaphore(value: 0)
    let holder = ResultHolder<Value>()
    let task = Task.detached {
        let result: Result<Value, any Error>
        do { result = .success(try await work()) } catch { result = .failure(error) }
        holder.set(result)
        done.signal()
    }
    while done.wait(timeout: check == nil ? .distantFuture : .now() + .milliseconds(100)) == .timedOut {
        do { try check?() } catch {
            task.cancel()
            throw error
        }
    }
    guard let result = holder.take() else {
        throw CommandFailure(ExitStatus.failure, "the work ended without a result")
    }
    return try result.get()
}

private final class ResultHolder<Value: Sendable>: Sendable {
    private let box = Mutex<Result<Value, any Error>?>(nil)

    func set(_ result: Result<Value, any Error>) { box.withLock { $0 = result } }
    func take() -> Result<Value, any Error>? { box.withLock { $0 } }
}
