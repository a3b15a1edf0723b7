/** The programs of the corpus at a terminal or a screen; what a row says is told in programs.mjs. */

/** @type {import('./programs.mjs').Program[]} */
export const screenPrograms = [
  {
    name: 'vim',
    packages: ['vim-tiny', 'expect'],
    command: ['vim.tiny', '-u', 'NONE', 'text'],
    keys: 'sleep 1; send "ihello world\\033yy20p"; sleep 0.3; send ":%s/world/there/g\\r"; sleep 0.3; send ":wq\\r"',
  },
  {
    name: 'nano',
    packages: ['nano', 'expect'],
    command: ['nano', '-I', 'text'],
    env: { TERM: 'xterm' },
    keys: 'sleep 1; send "hello world\\r"; sleep 0.3; send "\\017\\r"; sleep 0.3; send "\\030"',
  },
  {
    name: 'tmux server',
    packages: ['tmux'],
    command: ['tmux', '-L', 'corpus$PORT', '-f', '/dev/null', '-D'],
    beside:
      'sleep 1; tmux -L corpus$PORT new-session -d "seq 1 200; sleep 0.3"; sleep 1; tmux -L corpus$PORT kill-server',
    anyExit: true,
  },
  {
    name: 'X program (xeyes)',
    packages: ['xvfb', 'x11-apps'],
    before: 'echo $$ > server.pid; exec Xvfb :$DISPLAY_NUMBER -screen 0 640x480x24 -nolisten tcp',
    command: ['xeyes'],
    beside: 'sleep 3; kill $(cat server.pid)',
    env: { DISPLAY: ':$DISPLAY_NUMBER' },
    anyExit: true,
  },
  {
    name: 'GTK program (zenity)',
    packages: ['xvfb', 'zenity'],
    before: 'exec Xvfb :$DISPLAY_NUMBER -screen 0 640x480x24 -nolisten tcp',
    command: ['zenity', '--info', '--text=hello', '--timeout=2'],
    env: { DISPLAY: ':$DISPLAY_NUMBER', NO_AT_BRIDGE: '1', GDK_BACKEND: 'x11' },
    anyExit: true,
  },
  {
    name: 'Qt program',
    packages: ['xvfb', 'qtbase5-dev', 'pkg-config'],
    setup: `cat > q.cc <<'END'
#include <QtWidgets>
int main(int argc, char** argv) {
  QApplication app(argc, argv);
  QWidget window;
  QVBoxLayout layout(&window);
  auto *bar = new QProgressBar;
  auto *table = new QTableWidget(40, 4);
  auto *button = new QPushButton("count");
  for (int i = 0; i < 160; ++i) table->setItem(i / 4, i % 4, new QTableWidgetItem(QString::number(i * i)));
  for (QWidget *each : QList<QWidget *>{bar, table, button}) layout.addWidget(each);
  int count = 0;
  QObject::connect(button, &QPushButton::clicked, [&] { bar->setValue(++count); table->sortItems(count % 4); });
  QTimer timer;
  QObject::connect(&timer, &QTimer::timeout, [&] { button->click(); if (count == 50) { puts(qPrintable(bar->text())); app.quit(); } });
  timer.start(20);
  window.show();
  return app.exec();
}
END
g++ -O1 -g -fPIC q.cc -o q $(pkg-config --cflags --libs Qt5Widgets)`,
    before: 'exec Xvfb :$DISPLAY_NUMBER -screen 0 640x480x24 -nolisten tcp',
    command: ['./q'],
    env: { DISPLAY: ':$DISPLAY_NUMBER' },
  },
];
