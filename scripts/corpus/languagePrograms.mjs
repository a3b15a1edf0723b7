/** The programs of the corpus that are written in a language of their own; what a row says is told in programs.mjs. */

// 8 MB of lines.
export const words = `awk 'BEGIN { for (i = 1; i <= 300000; i++) print "line", i, "word" i * 7919 % 1000, i * 31 % 97 }' > words`;

/** @type {import('./programs.mjs').Program[]} */
export const languagePrograms = [
  {
    name: 'python3: json',
    packages: ['python3'],
    command: [
      'python3',
      '-c',
      'import json; d = [{"k%d" % i: [i, str(i), None, i / 3]} for i in range(200000)]; s = json.dumps(d); print(len(s), len(json.loads(s)))',
    ],
  },
  {
    name: 'python3: threads',
    packages: ['python3'],
    command: [
      'python3',
      '-c',
      `import threading, queue
q, out = queue.Queue(), []
def work():
    while True:
        n = q.get()
        if n is None: return
        out.append(sum(i * i for i in range(n)))
ts = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in ts]
[q.put(2000) for _ in range(9000)]
[q.put(None) for _ in ts]
[t.join() for t in ts]
print(len(out), sum(out))`,
    ],
  },
  {
    name: 'python3: subprocess',
    packages: ['python3'],
    command: [
      'python3',
      '-c',
      'import subprocess; print(sum(len(subprocess.run(["echo", str(i)], capture_output=True).stdout) for i in range(800)))',
    ],
  },
  {
    name: 'python3: asyncio',
    packages: ['python3'],
    command: [
      'python3',
      '-c',
      `import asyncio
async def serve(r, w):
    while (line := await r.readline()): w.write(line.upper()); await w.drain()
    w.close()
async def ask(port):
    r, w = await asyncio.open_connection("127.0.0.1", port)
    for i in range(800):
        w.write(b"hello %d\\n" % i); await r.readline()
    w.close()
async def main():
    s = await asyncio.start_server(serve, "127.0.0.1", 0)
    await asyncio.gather(*(ask(s.sockets[0].getsockname()[1]) for _ in range(10)))
    print("done")
asyncio.run(main())`,
    ],
  },
  {
    name: 'python3: multiprocessing',
    packages: ['python3'],
    command: [
      'python3',
      '-c',
      'import multiprocessing as m\nif __name__ == "__main__":\n    with m.Pool(2) as p: print(sum(p.map(abs, range(-2500000, 0))))',
    ],
  },
  {
    name: 'perl',
    packages: [],
    setup: words,
    command: ['perl', '-ne', '$n{$1}++ while /(\\w+)/g; END { print scalar(keys %n), "\\n" }', 'words'],
  },
  {
    name: 'ruby',
    packages: ['ruby'],
    command: [
      'ruby',
      '-e',
      'puts (1..2200000).map { |i| i.to_s.reverse.to_i }.select(&:even?).sum; puts Thread.new { 42 }.value',
    ],
  },
  {
    name: 'lua',
    packages: ['lua5.4'],
    command: [
      'lua5.4',
      '-e',
      'local t = {} for i = 1, 1500000 do t[#t + 1] = (i * 7919) % 10007 end table.sort(t) print(t[1], t[#t], #table.concat(t, ","))',
    ],
  },
  {
    name: 'tcl',
    packages: ['tcl'],
    setup: `echo 'for {set i 0} {$i < 1200000} {incr i} {dict incr d [expr {$i % 97}]}; puts [dict size $d]' > s.tcl`,
    command: ['tclsh', 's.tcl'],
  },
  {
    name: 'php',
    packages: ['php-cli'],
    command: [
      'php',
      '-r',
      '$a = []; for ($i = 0; $i < 3200000; $i++) $a[] = md5((string)($i % 500)); echo count(array_unique($a)), "\\n";',
    ],
  },
  {
    name: 'guile',
    packages: ['guile-3.0'],
    command: [
      'guile',
      '--no-auto-compile',
      '-c',
      '(display (let loop ((i 0) (s 0)) (if (= i 9000000) s (loop (+ i 1) (+ s (modulo i 7))))))',
    ],
  },
  {
    // Its heap may be written and executed, and functions are compiled while it runs.
    name: 'sbcl',
    packages: ['sbcl'],
    command: [
      'sbcl',
      '--noinform',
      '--eval',
      `(progn
        (dotimes (k 40)
          (print (funcall (compile nil (list 'lambda '(n) (list 'loop 'for 'i 'below 'n 'sum (list 'mod '(* i i) (+ k 7))))) 1000000)))
        (let ((table (make-hash-table)))
          (dotimes (i 400000) (setf (gethash i table) (format nil "~a" i)))
          (print (hash-table-count table)))
        (gc :full t)
        (sb-ext:exit))`,
    ],
  },
  {
    name: 'node: one thread',
    packages: [],
    command: [
      'node',
      '-e',
      'const m = new Map(); for (let i = 0; i < 15000000; i++) m.set("k" + (i % 999), i); console.log(m.size, JSON.stringify([...m]).length)',
    ],
  },
  {
    name: 'node: workers',
    packages: [],
    setup: `cat > w.js <<'END'
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
if (isMainThread) {
  let left = 3;
  for (let i = 0; i < 3; i++) new Worker(__filename).on('message', (m) => { console.log(m); if (!--left) console.log('done'); });
} else { let s = 0; for (let i = 0; i < 2.5e8; i++) s += i % 7; parentPort.postMessage(s); }
END`,
    command: ['node', 'w.js'],
  },
  {
    name: 'java: compiled as it runs',
    packages: ['openjdk-17-jdk-headless'],
    setup: `cat > H.java <<'END'
import java.util.*;
class H {
  public static void main(String[] a) throws Exception {
    Thread[] ts = new Thread[3];
    long[] sums = new long[3];
    for (int t = 0; t < 3; t++) { int n = t; ts[t] = new Thread(() -> {
      Map<Integer, Integer> m = new HashMap<>();
      for (int i = 0; i < 30000000; i++) m.merge(i % 1000, 1, Integer::sum);
      for (int v : m.values()) sums[n] += v; }); ts[t].start(); }
    for (Thread t : ts) t.join();
    System.out.println(Arrays.toString(sums));
  }
}
END
javac H.java`,
    command: ['java', '-XX:+UseSerialGC', '-Xmx64m', 'H'],
  },
  {
    name: 'java: interpreted',
    packages: ['openjdk-17-jdk-headless'],
    setup: `echo 'class H { public static void main(String[] a) { long s = 0; for (int i = 0; i < 20000000; i++) s += i % 7; System.out.println("hello " + s); } }' > H.java; javac H.java`,
    command: ['java', '-Xint', '-XX:-UsePerfData', '-XX:+UseSerialGC', '-Xshare:off', 'H'],
  },
  {
    name: 'go',
    packages: ['golang-go'],
    setup: `cat > m.go <<'END'
package main
import ("fmt"; "sync")
func main() {
	var w sync.WaitGroup
	r := make([]int, 8)
	for g := 0; g < 8; g++ { w.Add(1); go func(g int) { defer w.Done(); for i := 0; i < 60000000; i++ { r[g] += i % (g + 2) } }(g) }
	w.Wait()
	fmt.Println(r)
}
END
HOME=$PWD GOFLAGS=-mod=mod go build -o m m.go`,
    command: ['./m'],
  },
  {
    name: 'rust: threads',
    packages: ['cargo', 'rustc'],
    setup: `mkdir src; printf '[package]\\nname = "t"\\nversion = "0.1.0"\\nedition = "2021"\\n' > Cargo.toml
cat > src/main.rs <<'END'
use std::{collections::HashMap, sync::{mpsc, Arc, Mutex}, thread};
fn main() {
    let (tx, rx) = mpsc::channel();
    let shared = Arc::new(Mutex::new(HashMap::new()));
    let ts: Vec<_> = (0..4).map(|n| { let (tx, shared) = (tx.clone(), shared.clone()); thread::spawn(move || {
        for i in 0..350000u64 { *shared.lock().unwrap().entry(i % 50).or_insert(0) += n; if i % 1000 == 0 { tx.send(i * n).unwrap(); } }
    }) }).collect();
    drop(tx);
    let sum: u64 = rx.iter().sum();
    for t in ts { t.join().unwrap(); }
    println!("{} {}", sum, shared.lock().unwrap().values().sum::<u64>());
}
END
HOME=$PWD cargo build -q --offline`,
    command: ['target/debug/t'],
  },
  {
    name: 'rust: panics',
    packages: ['cargo', 'rustc'],
    setup: `mkdir src; printf '[package]\\nname = "t"\\nversion = "0.1.0"\\nedition = "2021"\\n' > Cargo.toml
cat > src/main.rs <<'END'
use std::{panic, sync::{Arc, Mutex}, thread};
fn fall(depth: u64) -> u64 {
    let text = format!("level {depth}");
    if depth == 0 { panic!("bottom") }
    fall(depth - 1) + text.len() as u64
}
fn main() {
    let shared = Arc::new(Mutex::new(0u64));
    let mut caught = 0;
    panic::set_hook(Box::new(|_| {}));
    for i in 0..30000u64 { if panic::catch_unwind(|| fall(i % 40)).is_err() { caught += 1 } }
    for n in 0..8u64 {
        let shared = shared.clone();
        let end = thread::spawn(move || { let mut sum = shared.lock().unwrap_or_else(|e| e.into_inner()); *sum += n; fall(n) }).join();
        if end.is_err() { caught += 1 }
    }
    let _ = panic::take_hook();
    println!("{} {} {}", caught, shared.is_poisoned(), shared.lock().unwrap_or_else(|e| e.into_inner()));
    let v: Vec<u64> = (0..caught % 7).collect();
    println!("{}", v[caught as usize]);
}
END
HOME=$PWD cargo build -q --offline`,
    command: ['target/debug/t'],
    exitCode: 101,
    env: { RUST_BACKTRACE: '1' },
  },
];
