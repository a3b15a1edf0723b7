/**
 * The programs of the corpus: what people run every day, each with a workload
 * of one to about ten seconds on a quiet machine.
 *
 * A row is run in an empty folder of its own. `setup` is a shell text that makes
 * its input there, natively; `command` is what is recorded, its first word looked
 * for in PATH, `$PORT` a free port; `shell` a bash command line instead, with
 * bash itself recorded. `beside` runs natively at the same time, begun when the
 * port answers if the row names one, and ends the program. `keys` is an expect
 * script's body for a program at a terminal. Only the program itself is recorded;
 * its children run freely.
 */

import { languagePrograms, words } from './languagePrograms.mjs';
import { screenPrograms } from './screenPrograms.mjs';

/**
 * @typedef {object} Program
 * @property {string} name
 * @property {string[]} packages Debian packages that have it; those of every machine are left out
 * @property {string} [setup]
 * @property {string[]} [command]
 * @property {string} [shell]
 * @property {string} [stdin] a file of the folder
 * @property {string} [before] runs natively as long as the program does, begun before it: its server
 * @property {string} [beside]
 * @property {string} [keys]
 * @property {Record<string, string>} [env]
 * @property {string} [user] who runs it if we are root, because it refuses root
 * @property {number} [exitCode] what it ends with; 0 if nothing is said
 * @property {boolean} [anyExit] its exit code differs from run to run
 */

const source = `cat > big.cc <<'END'
#include <algorithm>
#include <iostream>
#include <map>
#include <regex>
#include <string>
#include <vector>
int main() {
  std::map<std::string, std::vector<int>> m;
  for (int i = 0; i < 1000; ++i) m[std::to_string(i % 10)].push_back(i);
  for (auto& [k, v] : m) std::sort(v.rbegin(), v.rend());
  std::cout << std::regex_match("abc", std::regex("a.c")) << m.size() << '\\n';
}
END`;
const picture = 'convert -seed 5 -size 1800x1800 plasma:red-blue in.png';
const repository = `git init -q r && cd r && git config user.email a@b && git config user.name a &&
for i in $(seq 1 100); do seq $i $((i * 2000)) > f$((i % 7)); git add -A; git commit -qm $i; done`;

/** @type {Program[]} */
export const programs = [
  ...languagePrograms,
  // -- compilers and their company ----------------------------------------------
  { name: 'gcc', packages: [], setup: source, command: ['g++', '-O1', '-c', 'big.cc', '-o', 'big.o'] },
  {
    name: 'cc1plus',
    packages: [],
    setup: source,
    shell: 'exec $(g++ -print-prog-name=cc1plus) -quiet -imultiarch x86_64-linux-gnu -O0 -D_GNU_SOURCE big.cc -o big.s',
  },
  {
    name: 'ld',
    packages: [],
    shell:
      'a=$(g++ -print-file-name=libstdc++.a); exec ld.bfd -r -z muldefs --whole-archive $a $a $a $a $a $a $a $a -o all.o',
  },
  {
    name: 'make -j2',
    packages: [],
    setup: `for i in $(seq 1 80); do echo "int f$i(void) { return $i; }" > f$i.c; done
printf 'all: $(patsubst %%.c,%%.o,$(wildcard *.c))\\n\\tar rcs lib.a $^\\n' > Makefile`,
    command: ['make', '-j2'],
  },
  {
    name: 'cmake',
    packages: ['cmake', 'ninja-build'],
    setup: `printf 'cmake_minimum_required(VERSION 3.16)\\nproject(p C CXX)\\nforeach(n RANGE 400)\\nadd_executable(p\${n} m.c)\\nendforeach()\\n' > CMakeLists.txt; echo 'int main(void) { return 0; }' > m.c`,
    command: ['cmake', '-G', 'Ninja', '-B', 'b', '.'],
  },
  {
    name: 'ninja',
    packages: ['ninja-build'],
    setup: `printf 'rule c\\n  command = gcc -c $in -o $out\\n' > build.ninja
for i in $(seq 1 80); do echo "int f$i(void) { return $i; }" > f$i.c; echo "build f$i.o: c f$i.c" >> build.ninja; done`,
    command: ['ninja'],
  },
  {
    name: 'flex',
    packages: ['flex'],
    setup: `(echo %%; for i in $(seq 1001 2900); do echo "\\"w$i\\"[a-z]*x return $i;"; done; echo '.|\\n ;'; echo %%) > l.l`,
    command: ['flex', '-C', 'l.l'],
  },
  {
    name: 'bison',
    packages: ['bison'],
    setup: `(echo %token N; for i in $(seq 1 700); do echo "%token T$i"; done; echo %%; echo "s: N"; for i in $(seq 1 700); do echo "| s T$i N T$(((i + 7) % 700 + 1))"; done; echo ";"; echo %%) > g.y`,
    command: ['bison', '-d', 'g.y'],
  },
  {
    name: 'm4',
    packages: ['m4'],
    setup: `echo 'define(\`loop'"'"',\`ifelse($1,0,,\`$1 loop(decr($1))'"'"')'"'"')loop(700000)' > in.m4`,
    command: ['m4', '-L', '0', 'in.m4'],
  },
  {
    name: 'OpenMP',
    packages: [],
    setup: `cat > o.c <<'END'
#include <stdio.h>
int main(void) {
  long sum = 0;
#pragma omp parallel for reduction(+ : sum) num_threads(4) schedule(dynamic, 1000000)
  for (long i = 0; i < 1600000000; ++i) sum += i % 7;
  printf("%ld\\n", sum);
}
END
gcc -O1 -g -fopenmp o.c -o o`,
    command: ['./o'],
    env: { OMP_WAIT_POLICY: 'passive' },
  },
  {
    name: 'ASan',
    packages: [],
    setup: `printf '#include <stdlib.h>\\nint main(void) { char *p; for (int i = 0; i < 2000000; i++) { p = malloc(i %% 500 + 4); p[3] = i; free(p); } return p[3]; }\\n' > a.c; gcc -g -fsanitize=address a.c -o a`,
    command: ['./a'],
    exitCode: 1,
  },
  {
    name: 'UBSan',
    packages: [],
    setup: `cat > u.cc <<'END'
#include <climits>
#include <cstdio>
#include <vector>
struct Shape { virtual int Area(int a) { return a; } virtual ~Shape() = default; };
struct Square : Shape { int Area(int a) override { return a * a; } };
int main(int argc, char **) {
  std::vector<Shape *> all;
  for (int i = 0; i < 1000; ++i) all.push_back(i % 3 ? new Shape : new Square);
  long sum = 0;
  for (int i = 0; i < 120000000; ++i) sum += all[i % 1000]->Area(i % 999);
  int most = INT_MAX - 1 + argc, left = 40 - argc;
  std::printf("%ld %d %d\\n", sum, most + argc, 1 << left);
}
END
g++ -g -O1 -fsanitize=undefined u.cc -o u`,
    command: ['./u'],
  },
  {
    name: 'TSan',
    packages: ['util-linux'],
    setup: `cat > t.cc <<'END'
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>
std::mutex lock;
long safe, raced;
int main() {
  std::vector<std::thread> all;
  for (int n = 0; n < 4; ++n)
    all.emplace_back([] {
      ++raced;
      for (int i = 0; i < 250000; ++i) { std::lock_guard guard(lock); ++safe; }
    });
  for (auto &thread : all) thread.join();
  std::printf("%ld\\n", safe);
}
END
g++ -g -O1 -fsanitize=thread t.cc -o t`,
    // Its memory lies at fixed places: without random ones, as it is when recorded.
    shell: 'exec setarch -R ./t',
    exitCode: 66,
  },
  {
    name: 'gdb',
    packages: [],
    setup: `${source}\ng++ -g big.cc -o big`,
    command: [
      'gdb',
      '-nx',
      '-batch',
      '-ex',
      'info functions .',
      '-ex',
      'info types .',
      '-ex',
      'info variables .',
      './big',
    ],
  },
  // -- files and text --------------------------------------------------------------
  { name: 'git clone', packages: [], setup: repository, command: ['git', 'clone', '-q', '--no-local', 'r', 'copy'] },
  { name: 'git gc', packages: [], setup: repository, command: ['git', '-C', 'r', 'gc', '-q'] },
  { name: 'git log', packages: [], setup: repository, command: ['git', '-C', 'r', 'log', '-p', '-n', '30'] },
  {
    name: 'sqlite3',
    packages: ['sqlite3'],
    command: [
      'sqlite3',
      'd.db',
      'create table t(a integer primary key, b text); with recursive n(i) as (select 1 union all select i + 1 from n where i < 400000) insert into t select i, hex(i * 7919) from n; create index x on t(b); select count(distinct b), max(a) from t where b like "%3%"; delete from t where a % 3 = 0; vacuum;',
    ],
  },
  {
    name: 'bash pipelines',
    packages: [],
    setup: words,
    shell:
      'for i in $(seq 1 8); do sort words | uniq -c | grep $i | head -3 | wc -l; done; while read -r a b c; do x=$((x + b)); done < <(seq 1 20000); echo $x; trap "echo bye" EXIT',
  },
  {
    name: 'awk',
    packages: [],
    setup: words,
    command: ['awk', '{ n[$3] += $4 } END { for (k in n) s += n[k]; print s }', ...Array(10).fill('words')],
  },
  {
    name: 'gawk',
    packages: ['gawk'],
    setup: words,
    command: ['gawk', '{ n[$3] += $4 } END { for (k in n) s += n[k]; print s }', ...Array(10).fill('words')],
  },
  {
    name: 'sed',
    packages: [],
    setup: words,
    command: ['sed', '-E', 's/(word[0-9]+) ([0-9]+)/\\2 \\1/; y/abc/xyz/', 'words'],
  },
  {
    name: 'sort',
    packages: [],
    setup: `${words}; cat words words words > more`,
    command: ['sort', '--parallel=2', '-k3', '-S', '1M', 'more'],
  },
  { name: 'find', packages: [], command: ['find', '/usr/share', '/usr/lib', '-name', '*.gz', '-size', '+1k'] },
  {
    name: 'grep -r',
    packages: [],
    command: ['grep', '-rc', 'define', '/usr/include', '/usr/share/doc'],
    anyExit: true,
  },
  {
    name: 'tar',
    packages: [],
    command: ['tar', 'cf', 'o.tar', '/usr/include', '/usr/share/doc', '/usr/share/perl', '/usr/lib/python3'],
    anyExit: true,
  },
  {
    name: 'diff',
    packages: [],
    setup: `${words}; cat words words words words words words words words words > more; sed 's/word77/WORD77/' more > other`,
    command: ['diff', 'more', 'other'],
    exitCode: 1,
  },
  {
    name: 'xz -T2',
    packages: ['xz-utils'],
    setup: `${words}; cat words words words > in`,
    command: ['xz', '-T2', '-1', '--block-size=1MiB', '-k', 'in'],
  },
  {
    name: 'zstd -T2',
    packages: ['zstd'],
    setup: `${words}; cat words words > in`,
    command: ['zstd', '-q', '-T2', '-12', 'in'],
  },
  {
    name: 'pigz',
    packages: ['pigz'],
    setup: `${words}; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do cat words; done > in`,
    command: ['pigz', '-p', '3', '-k', 'in'],
  },
  { name: 'gzip', packages: [], setup: words, command: ['gzip', '-9', '-k', 'words'] },
  { name: 'bzip2', packages: ['bzip2'], setup: `${words}; cat words words > in`, command: ['bzip2', '-k', 'in'] },
  {
    name: '7z',
    packages: ['p7zip-full'],
    setup: `${words}; cat words words words words words words words > in`,
    command: ['/usr/lib/p7zip/7z', 'a', '-mx=1', '-bd', '-mmt=2', 'o.7z', 'in'],
  },
  {
    name: 'busybox',
    packages: ['busybox-static'],
    setup: words,
    command: ['busybox', 'awk', '{ n[$3] += $4 } END { for (k in n) s += n[k]; print s }', ...Array(3).fill('words')],
  },
  { name: 'bc', packages: ['bc'], setup: 'printf "scale=2500\\n4*a(1)\\n" > in', command: ['bc', '-lq', 'in'] },
  { name: 'dc', packages: ['dc'], command: ['dc', '-e', '2 500000 ^ p'] },
  {
    name: 'jq',
    packages: ['jq'],
    setup: `python3 -c 'import json; print(json.dumps([{"a": i, "b": str(i)} for i in range(200000)]))' > in`,
    command: ['jq', '-c', 'map(select(.a % 3 == 0)) | group_by(.a % 10) | map(length)', 'in'],
  },
  // -- pictures, sound, papers -------------------------------------------------------
  {
    name: 'imagemagick',
    packages: ['imagemagick'],
    setup: picture,
    command: ['convert', 'in.png', '-blur', '0x3', '-resize', '50%', 'out.jpg'],
  },
  {
    name: 'ffmpeg',
    packages: ['ffmpeg'],
    command: [
      'ffmpeg',
      '-loglevel',
      'error',
      '-f',
      'lavfi',
      '-i',
      'testsrc=duration=16:size=160x120:rate=10',
      '-threads',
      '2',
      '-c:v',
      'mpeg4',
      'o.avi',
    ],
  },
  {
    name: 'sox',
    packages: ['sox'],
    command: ['sox', '-R', '-n', '-r', '44100', 'o.wav', 'synth', '120', 'sine', '440', 'reverb'],
  },
  {
    name: 'gnuplot',
    packages: ['gnuplot-nox'],
    command: ['gnuplot', '-e', 'set terminal svg; set output "o.svg"; set isosamples 1300; splot sin(x)*cos(y)'],
  },
  {
    name: 'ghostscript',
    packages: ['ghostscript'],
    setup: `(echo '%!PS'; for i in $(seq 1 5000); do echo '/Times-Roman findfont 40 scalefont setfont 1 1 8 { 72 exch 80 mul moveto (hello) show } for showpage'; done) > in.ps`,
    command: ['gs', '-q', '-dBATCH', '-dNOPAUSE', '-sDEVICE=pdfwrite', '-sOutputFile=o.pdf', 'in.ps'],
  },
  {
    name: 'pdftotext',
    packages: ['poppler-utils', 'ghostscript'],
    setup: `(echo '%!PS'; for i in $(seq 1 22000); do echo '/Times-Roman findfont 40 scalefont setfont 72 72 moveto (hello world) show showpage'; done) > in.ps; gs -q -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -sOutputFile=in.pdf in.ps`,
    command: ['pdftotext', 'in.pdf', '-'],
  },
  // -- servers and clients --------------------------------------------------------------
  {
    name: 'redis-server',
    packages: ['redis-server', 'redis-tools'],
    command: ['redis-server', '--port', '$PORT', '--save', '', '--appendonly', 'no'],
    beside: 'redis-benchmark -p $PORT -n 16000 -c 5 -q -t set,get,lpush >/dev/null; redis-cli -p $PORT shutdown nosave',
  },
  {
    name: 'nginx',
    packages: ['nginx-light', 'apache2-utils'],
    setup: `mkdir -p html logs; seq 1 500 > html/index.html
printf 'error_log e.log;pid n.pid;daemon off;master_process off;\\nevents { worker_connections 64; }\\nhttp { access_log a.log; server { listen 127.0.0.1:%s; root %s/html; } }\\n' $PORT $PWD > n.conf`,
    shell: 'exec nginx -p $PWD -c n.conf -e e.log',
    beside: 'ab -q -n 9000 -c 4 http://127.0.0.1:$PORT/ >/dev/null; kill -QUIT $(cat n.pid)',
  },
  {
    name: 'memcached',
    packages: ['memcached'],
    command: ['memcached', '-l', '127.0.0.1', '-p', '$PORT', '-u', 'nobody', '-t', '2', '-A'],
    beside: `for i in $(seq 1 60); do exec 3<>/dev/tcp/127.0.0.1/$PORT; printf 'set k%s 0 0 5\\r\\nhello\\r\\nget k%s\\r\\nquit\\r\\n' $i $i >&3; cat <&3; exec 3>&-; done; exec 3<>/dev/tcp/127.0.0.1/$PORT; printf 'shutdown\\r\\n' >&3; true`,
    anyExit: true,
  },
  {
    name: 'curl',
    packages: ['curl', 'python3'],
    setup: 'mkdir www; seq 1 20000 > www/f',
    before: 'exec python3 -m http.server --bind 127.0.0.1 -d www $PORT',
    command: ['curl', '-s', '-o', 'o#1', 'http://127.0.0.1:$PORT/f?[1-1100]'],
  },
  {
    name: 'openssl s_server',
    packages: ['openssl'],
    setup: 'openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c -days 2 -subj /CN=x 2>/dev/null',
    command: [
      'openssl',
      's_server',
      '-accept',
      '127.0.0.1:$PORT',
      '-key',
      'k',
      '-cert',
      'c',
      '-naccept',
      '2',
      '-quiet',
      '-rev',
    ],
    beside:
      'sleep 1; for i in 1 2; do (echo hello; sleep 0.3) | timeout 1 openssl s_client -connect 127.0.0.1:$PORT -quiet 2>/dev/null; done',
  },
  {
    name: 'openssl s_client',
    packages: ['openssl'],
    setup:
      'openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c -days 2 -subj /CN=x 2>/dev/null; seq 1 100000 > in',
    before: 'exec openssl s_server -accept 127.0.0.1:$PORT -key k -cert c -quiet -rev',
    stdin: 'in',
    command: ['openssl', 's_client', '-connect', '127.0.0.1:$PORT'],
  },
  {
    name: 'openssl speed',
    packages: ['openssl'],
    command: ['openssl', 'speed', '-seconds', '2', '-bytes', '1024', 'sha256'],
  },
  { name: 'openssl genrsa', packages: ['openssl'], command: ['openssl', 'genrsa', '-out', 'k', '4096'] },
  {
    name: 'initdb',
    packages: ['postgresql'],
    user: 'nobody',
    shell: 'exec $(ls -d /usr/lib/postgresql/*/bin | tail -1)/initdb -D $PWD/data --no-sync',
  },
  {
    name: 'postgres: single user',
    packages: ['postgresql'],
    setup:
      '$(ls -d /usr/lib/postgresql/*/bin | tail -1)/initdb -D $PWD/data --no-sync >/dev/null; echo "select count(*), sum(i % 7) from generate_series(1, 3000000) i" > in',
    user: 'nobody',
    stdin: 'in',
    shell: 'exec $(ls -d /usr/lib/postgresql/*/bin | tail -1)/postgres --single -D $PWD/data postgres',
  },
  ...screenPrograms,
];
