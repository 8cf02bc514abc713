# Two roles for service accounts: what steps may do with the bucket, and what the servers may.

locals {
  issuer = split("oidc-provider/", var.oidc_provider_arn)[1]
  accounts = {
    step     = ["traceo-step"]
    platform = ["${var.release}-platform", "${var.release}-airflow", "${var.release}-airflow-web"]
  }
  # Folders below home by what a role may do there. Models go through MLflow's server, so steps write none.
  writes = {
    step     = ["lake", "runs", "spool"]
    platform = ["mlflow", "airflow-logs", "spool"]
  }
  reads = {
    step     = ["lake", "runs", "spool", "ledger"]
    platform = ["lake", "runs", "spool", "ledger", "mlflow", "airflow-logs"]
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = local.accounts

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = [for account in each.value : "system:serviceaccount:${var.namespace}:${account}"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "bucket_access" {
  for_each = local.accounts

  # Not limited to prefixes: of an object that is missing S3 tells only those who may list (404), others get 403.
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.state.arn]
  }

  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = [for folder in local.reads[each.key] : "${aws_s3_bucket.state.arn}/${local.home}/${folder}/*"]
  }

  statement {
    sid       = "Write"
    actions   = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = [for folder in local.writes[each.key] : "${aws_s3_bucket.state.arn}/${local.home}/${folder}/*"]
  }

  # The promotion ledger is added to and never taken from.
  dynamic "statement" {
    for_each = each.key == "step" ? ["ledger"] : []

    content {
      sid       = "Append"
      actions   = ["s3:PutObject"]
      resources = ["${aws_s3_bucket.state.arn}/${local.home}/${statement.value}/*"]
    }
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.this.arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "account" {
  for_each = local.accounts

  name                 = "${var.name}-${each.key}"
  description          = "Traceo in Kubernetes: ${join(", ", each.value)}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "bucket_access" {
  for_each = local.accounts

  name   = "bucket"
  role   = aws_iam_role.account[each.key].id
  policy = data.aws_iam_policy_document.bucket_access[each.key].json
}
