;;; mesh-mode.el --- Major mode for meshes -*- lexical-binding: t -*-

;; Highlighting, comments, indentation and formatting of .mesh files. The words are written by a test, from the schema.

;;; Code:

(defconst mesh-kinds '("abort" "allow" "assert" "autoscale" "balance" "call" "certificate" "client" "cluster" "cookie" "cors" "delay" "deny" "destination" "each" "except" "external" "failover" "fault" "gateway" "grpc" "header" "health" "http10" "in" "in_time" "intermediate" "link" "match" "mesh" "metrics" "mirror" "namespace" "network" "not" "outlier" "policy" "pool" "port" "probe" "query" "rate_limit" "redirect" "request_headers" "resources" "respond" "response_headers" "retry" "rewrite" "root" "route" "rule" "service" "subset" "test" "timeout" "tls" "trust" "workload"))
(defconst mesh-words '("apply" "assert" "for" "if" "in" "input" "let" "override" "template" "use"))

(defvar mesh-mode-syntax-table
  (let ((table (make-syntax-table)))
    (modify-syntax-entry ?/ ". 12" table)
    (modify-syntax-entry ?\n ">" table)
    (modify-syntax-entry ?- "_" table)
    table))

(defvar mesh-font-lock-keywords
  `((,(concat "\\_<" (regexp-opt mesh-kinds t) "\\_>\\(?:[ \t]+[^ \t={]+\\)?[ \t]*{") 1 font-lock-type-face)
    (,(concat "\\_<" (regexp-opt mesh-kinds t) "\\_>[ \t]+[^ \t={]+[ \t]*=") 1 font-lock-type-face)
    ("\\_<\\([A-Za-z_][A-Za-z0-9_-]*\\)[ \t]*=" 1 font-lock-variable-name-face)
    (,(regexp-opt mesh-words 'symbols) . font-lock-keyword-face)
    ("\\_<\\(?:true\\|false\\)\\_>" . font-lock-constant-face)))

;;;###autoload
(define-derived-mode mesh-mode prog-mode "Mesh"
  "Major mode for meshes."
  (setq-local comment-start "// "
              comment-start-skip "//+\\s-*"
              indent-tabs-mode nil
              tab-width 2
              font-lock-defaults '(mesh-font-lock-keywords)))

(defun mesh-format ()
  "Give the buffer the layout of `meshc fmt'."
  (interactive)
  (let ((output (generate-new-buffer " *meshc fmt*")))
    (unwind-protect
        (if (zerop (call-process-region nil nil "meshc" nil (list output nil) nil "fmt" "-"))
            (replace-buffer-contents output)
          (message "meshc fmt: the text has mistakes; see meshc check"))
      (kill-buffer output))))

;; The language server, where eglot is (Emacs 29, or the package).
(with-eval-after-load 'eglot
  (add-to-list 'eglot-server-programs '(mesh-mode . ("meshc" "lsp"))))

;;;###autoload
(add-to-list 'auto-mode-alist '("\\.mesh\\'" . mesh-mode))

(provide 'mesh-mode)
;;; mesh-mode.el ends here
