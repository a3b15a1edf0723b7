;;; A person in Emacs: dap-mode with `chronofork dap`, as docs/editors.md says it.
;;; Prints one JSON object: the lines it stopped at, and what was asked there; test: emacs.test.ts.  -*- lexical-binding: t -*-

(require 'package)
(package-initialize)
(require 'json)
(setq dap-auto-configure-features nil
      dap-auto-show-output nil
      dap-inhibit-io t
      dap-breakpoints-file (expand-file-name "breakpoints" (getenv "CF_TEMPORARY"))
      lsp-session-file (expand-file-name "session" (getenv "CF_TEMPORARY")))
(require 'dap-mode)
(require 'dap-ui) ; loaded by everybody who uses it, and it minds the kinds of exceptions
(load (getenv "CF_CONFIGURATION"))

(defvar cf-stops nil "Lines, the latest first.")
(defvar cf-ended nil)
(add-hook 'dap-stack-frame-changed-hook
          (lambda (session)
            (let ((frame (dap--debug-session-active-frame session)))
              (when frame (push (gethash "line" frame) cf-stops)))))
(add-hook 'dap-terminated-hook (lambda (_session) (setq cf-ended t)))

(defun cf-wait (condition what)
  "Let messages come until CONDITION holds; WHAT is said if it never does."
  (let ((deadline (+ (float-time) 30)))
    (while (and (not (funcall condition)) (< (float-time) deadline))
      (accept-process-output nil 0.05))
    (unless (funcall condition) (error "No %s; stops: %S" what cf-stops))))

(defun cf-go (command)
  "Do COMMAND, and wait for the stop that it ends with. Return its line."
  (let ((before (length cf-stops)))
    (funcall command)
    (cf-wait (lambda () (> (length cf-stops) before)) (format "stop after %s" command))
    (car cf-stops)))

(defun cf-evaluate (expression)
  "The value of EXPRESSION in the frame that one looks at."
  (let* ((session (dap--cur-session-or-die))
         (frame (gethash "id" (dap--debug-session-active-frame session)))
         (value nil))
    (dap--send-message (dap--make-request "evaluate" (list :expression expression :frameId frame :context "watch"))
                       (lambda (answer) (setq value (gethash "result" (gethash "body" answer))))
                       session)
    (cf-wait (lambda () value) (format "value of %s" expression))
    value))

(let* ((source (getenv "CF_SOURCE"))
       (variable (getenv "CF_VARIABLE"))
       (out nil))
  (find-file source)
  (goto-char (point-min))
  (forward-line (1- (string-to-number (getenv "CF_LINE"))))
  (dap-breakpoint-add)
  (push (cons 'breakpoint
              (cf-go (lambda ()
                       (dap-start-debugging-noexpand
                        (funcall (gethash "chronofork" dap--debug-providers)
                                 (list :type "chronofork" :request "launch" :name "Chronofork"
                                       :program (getenv "CF_PROGRAM") :console "internalConsole"))))))
        out)
  (push (cons 'there (cf-evaluate variable)) out)
  (push (cons 'next (cf-go (lambda () (dap-next (dap--cur-session-or-die))))) out)
  (push (cons 'later (cf-evaluate variable)) out)
  (push (cons 'back (cf-go 'chronofork-step-back)) out)
  (push (cons 'earlier (cf-evaluate variable)) out)
  (dap-disconnect (dap--cur-session-or-die))
  (cf-wait (lambda () cf-ended) "end")
  (princ (json-encode out)))
