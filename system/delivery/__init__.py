"""The delivery protocol: the ledger, the mailer, receipts, the relay. See docs for the promise it keeps."""
