import CApusWire
import Glibc

/// Keeps the calling thread, and every thread that it will start, off these processors. The venue's threads of a run on loopback
/// would otherwise be woken on the engine's processor, by the engine's own `send`, and run there before it goes on.
///
/// - Returns: false when no other processor is left; nothing has changed then.
package func avoid(processors: [Int]) -> Bool {
    apus_thread_avoid(processors.map(Int32.init(truncatingIfNeeded:)), processors.count) == 0
}
