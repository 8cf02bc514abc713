data "aws_subnet" "private" {
  for_each = toset(var.private_subnet_ids)

  id = each.value
}

locals {
  cidr = [for subnet in data.aws_subnet.private : subnet.cidr_block]
  # What infra/kubernetes/chart needs to know of all this; the keys are those of its values.
  chart_values = {
    traceo = {
      home = "s3://${aws_s3_bucket.state.id}/${local.home}"
    }
    serviceAccounts = {
      step = {
        annotations = { "eks.amazonaws.com/role-arn" = aws_iam_role.account["step"].arn }
      }
      platform = {
        annotations = { "eks.amazonaws.com/role-arn" = aws_iam_role.account["platform"].arn }
      }
    }
    postgresql = {
      enabled = false
    }
    redis = {
      enabled = false
    }
    networkPolicy = {
      database = { cidrs = local.cidr, port = aws_db_instance.database.port }
      cache    = { cidrs = local.cidr, port = aws_elasticache_replication_group.cache.port }
    }
  }
}

output "chart_values" {
  description = "Values of the Helm chart: terraform output -raw chart_values > values-aws.yaml"
  value       = yamlencode(local.chart_values)
}

output "database_address" {
  description = "Host of PostgreSQL, for the connection strings in the Secret traceo-platform."
  value       = aws_db_instance.database.address
}

output "database_secret_arn" {
  description = "Secret of Secrets Manager that holds PostgreSQL's user and password."
  value       = aws_db_instance.database.master_user_secret[0].secret_arn
}

output "cache_address" {
  description = "Host of Redis, for TRACEO_ONLINE_STORE in the Secret traceo-secrets."
  value       = aws_elasticache_replication_group.cache.primary_endpoint_address
}

output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.state.id
}
