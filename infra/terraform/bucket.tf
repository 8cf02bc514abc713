# One bucket for all state: the lake, artifacts of runs, models, task logs. The folders are those below TRACEO_HOME.

locals {
  home = "home"
  # Raw and derived telemetry: big, rarely read once it is old. Everything else of the lake (incidents, forecasts,
  # ledger) is small and kept.
  telemetry = toset(["metrics", "spans", "logs", "features", "anomalies"])
}

resource "aws_kms_key" "this" {
  description             = "Traceo: bucket, database, cache"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_s3_bucket" "state" {
  bucket = var.bucket
}

resource "aws_s3_bucket_ownership_controls" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket                  = aws_s3_bucket.state.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    # One data key for many objects: the lake has many small ones, and every call to KMS costs.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  # Rules about old versions need versioning first.
  depends_on = [aws_s3_bucket_versioning.state]
  bucket     = aws_s3_bucket.state.id

  dynamic "rule" {
    for_each = local.telemetry

    content {
      id     = "telemetry-${rule.value}"
      status = "Enabled"

      filter {
        prefix = "${local.home}/lake/${rule.value}/"
      }

      transition {
        days          = var.hot_days
        storage_class = "STANDARD_IA"
      }

      transition {
        days          = var.cold_days
        storage_class = "GLACIER_IR"
      }

      expiration {
        days = var.retention_days
      }
    }
  }

  rule {
    id     = "runs"
    status = "Enabled"

    filter {
      prefix = "${local.home}/runs/"
    }

    expiration {
      days = var.cold_days
    }
  }

  rule {
    id     = "task-logs"
    status = "Enabled"

    filter {
      prefix = "${local.home}/airflow-logs/"
    }

    expiration {
      days = var.retention_days
    }
  }

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "state" {
  # Both at once may meet in a conflict.
  depends_on = [aws_s3_bucket_public_access_block.state]
  bucket     = aws_s3_bucket.state.id
  policy     = data.aws_iam_policy_document.bucket.json
}
